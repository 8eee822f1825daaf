from dataclasses import dataclass


@dataclass
class Step:
    name: str
    cost: int

    def double(self):
        return Step(self.name, self.cost * 2)


class StepFailed(RuntimeError):
    def __init__(self, step):
        super().__init__(f"{step.name} failed")
        self.step = step


def run(step):
    if step.cost < 0:
        raise StepFailed(step)
    return step.double()
