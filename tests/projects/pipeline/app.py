import json

import skyward as sky
from pipeline import steps

RATE = 3


class Local:
    def __init__(self, value):
        self.value = value


def scaled(step):
    return Local(steps.Step(step.name, step.cost * RATE))


@sky.compute
def work(step):
    made = scaled(steps.run(step))
    return made, isinstance(step, steps.Step), type(made).__module__, steps.Step.__module__


if __name__ == "__main__":
    with sky.ComputePool(nodes=2) as pool:
        made, same, here, there = work(steps.Step("mix", 1)) >> pool
        assert type(made) is Local
        assert type(made.value) is steps.Step
        print(json.dumps({"cost": made.value.cost, "same": same, "modules": [here, there]}))
