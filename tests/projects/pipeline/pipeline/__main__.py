import json

import skyward as sky

from . import steps
from .steps import Step, StepFailed


class Local:
    """A class of the program itself."""

    def __init__(self, value):
        self.value = value


@sky.compute
def work(step):
    return steps.run(step)


@sky.compute
def wrap(step):
    assert isinstance(step, steps.Step)
    return Local(step)


def main():
    with sky.ComputePool(nodes=2) as pool:
        one = work(Step("clean", 2)) >> pool
        wrapped = wrap(one) >> pool
        try:
            work(Step("bad", -1)) >> pool
        except StepFailed as error:
            failed = error.step.name
        print(
            json.dumps(
                {
                    "cost": one.cost,
                    "is_step": type(one) is Step,
                    "is_local": type(wrapped) is Local and type(wrapped.value) is Step,
                    "failed": failed,
                }
            )
        )


if __name__ == "__main__":
    main()
