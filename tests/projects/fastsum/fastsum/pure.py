from . import _fast


def mean(numbers):
    return _fast.total(numbers) / len(numbers)
