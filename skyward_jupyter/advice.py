"""What to write instead, where Python itself refuses what was written: in one sentence below its own."""

from __future__ import annotations

import ast
import linecache
import re
from itertools import islice
from types import ModuleType, TracebackType

_SENDS = r"(?:>>|@|>)\s*pool\b|\bpool\.(?:run|broadcast|map|submit|stream|gather)"
_OPERANDS = re.compile(r"unsupported operand type\(s\) for (\S+): '(\w+)' and '(\w+)'$|'(\w+)' and '(\w+)'$")
_SEVERAL = ("list", "tuple", "set", "generator")


def advice_for(error: BaseException) -> str:
    """The sentence; empty where there is none."""
    link = _last(error.__traceback__)
    if link is None:
        return ""
    return _of_name(error, link) if isinstance(error, NameError) else _of_types(str(error), link)


def _of_name(error: NameError, link: TracebackType) -> str:
    line = linecache.getline(link.tb_frame.f_code.co_filename, link.tb_lineno)
    if error.name == "pool" and re.search(_SENDS, line):
        return (
            "no pool has that name: `%sky start --nodes 4` or `with sky.ComputePool(nodes=4) as pool` gives it to one"
        )
    if error.name in ("sky", "skyward") and re.search(rf"\b{error.name}\b", line):
        return "write `import skyward as sky` before" if error.name == "sky" else "write `import skyward` before"
    return ""


def _of_types(text: str, link: TracebackType) -> str:
    written = _written(link)
    if text.endswith("can't be used in 'await' expression") and written is not None:
        if isinstance(written, ast.Await):
            written = written.value
        sends = isinstance(written, ast.BinOp) and isinstance(written.op, ast.RShift | ast.MatMult)
        return "`>>` and `@` have waited already: leave out `await`, or write `await pool.run(call)`" if sends else ""
    if (found := _OPERANDS.search(text)) is not None and _is_sent_to_skyward(written, link):
        return _of_operand(found[2] or found[4])
    if "PendingCompute" in text or "PendingGroup" in text:
        return "a call that has not run has no result yet: write `result = f(...) >> pool`, and use `result`"
    return ""


def _is_sent_to_skyward(written: ast.expr | None, link: TracebackType) -> bool:
    right = written.right if isinstance(written, ast.BinOp) else getattr(written, "comparators", [None])[0]
    target = link.tb_frame.f_globals.get(right.id) if isinstance(right, ast.Name) else None
    return isinstance(target, ModuleType) and target.__name__ == "skyward"


def _of_operand(kind: str) -> str:
    if kind == "function":
        return "a function without @sky.compute cannot be sent: put @sky.compute on it, and call it: `f(...) >> sky`"
    if kind == "PendingGroup":
        return "`@` takes one call, for every node; calls of their own are sent by `sky.gather(*calls) >> sky`"
    if kind in _SEVERAL:
        return "several calls are sent together: `sky.gather(*calls) >> sky`"
    return f"what stands on the left has run here already, and gave a value ({kind}): put @sky.compute on its function"


def _last(tb: TracebackType | None) -> TracebackType | None:
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb


def _written(link: TracebackType) -> ast.expr | None:
    """The expression that was evaluated when a frame failed, where its source is known."""
    code = link.tb_frame.f_code
    line, end, column, end_column = next(islice(code.co_positions(), link.tb_lasti // 2, None), (None,) * 4)
    if line is None or end is None or column is None or end_column is None:
        return None
    lines = [linecache.getline(code.co_filename, number).encode() for number in range(line, end + 1)]
    if not all(lines):
        return None
    lines[-1] = lines[-1][:end_column]
    lines[0] = lines[0][column:]
    try:
        tree = ast.parse(b"(" + b"".join(lines) + b"\n)", mode="eval")
    except (SyntaxError, ValueError):
        return None
    return tree.body
