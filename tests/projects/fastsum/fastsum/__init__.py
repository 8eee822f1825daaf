from fastsum._fast import Counter, total
from fastsum.pure import mean

__all__ = ["Counter", "mean", "total"]
