"""What code on nodes does with `sys.stdout`, and what its children write."""

from __future__ import annotations

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.kernel

SLOWLY = "for b in 'ü€😀'.encode() * 3: sys.stdout.buffer.write(bytes([b])); sys.stdout.flush(); time.sleep(.04)"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("print('a'); sys.stdout.buffer.write('ü\\n'.encode()); print('b')", ["a", "ü", "b"]),
        ("sys.stdout.reconfigure(line_buffering=True)\nprint('größe')", ["größe"]),
        ("sys.stdout.writelines(['a\\n', 'b\\n'])", ["a", "b"]),
        ("sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')\nprint('in')", ["in"]),
        ("print('back'); sys.stdout = sys.__stdout__; print('here')", ["back", "here"]),
        ("with io.open(sys.stdout.fileno(), 'w', closefd=False) as f: f.write('by descriptor\\n')", ["by descriptor"]),
        ("sys.stdout.close(); sys.stdout.detach(); print('on')", ["on"]),
        ("subprocess.run(['echo', 'child'], stdout=sys.stdout)", ["child"]),
        ("print('lone \\ud800 end')", [r"lone \ud800 end"]),
        (SLOWLY, ["ü€😀" * 3]),
    ],
)
def test_stdout_is_what_a_script_has(nodes: Kernel, body: str, shown: list[str]) -> None:
    found = nodes.ok(f"%%sky\nimport io, subprocess, sys\n{body};")
    assert (found.stdout, found.stderr) == ("".join(f"[0-2] {line}\n" for line in shown), "")
    code = body.replace("\n", "\n    ")
    call = nodes.ok(
        f"import io, skyward as sky, subprocess, sys, time\n@sky.compute\ndef talk():\n    {code}\ntalk() >> sky;"
    )
    assert [line.partition("] ")[2] for line in call.stdout.splitlines()] == shown


def test_forked_children_write_whole_lines(nodes: Kernel) -> None:
    body = (
        "import multiprocessing\ndef work(i):\n    for k in range(100): print('child', i, k)\n    display(i)\n"
        "fork = multiprocessing.get_context('fork')\nps = [fork.Process(target=work, args=(i,)) for i in range(2)]\n"
        "for p in ps: p.start()\nfor p in ps: p.join()\nprint('done')"
    )
    shown = nodes.ok(f"%%sky --on 0\n{body}")
    assert sorted(shown.stdout.splitlines()) == sorted(
        [*(f"child {i} {k}" for i in range(2) for k in range(100)), "done"]
    )
    assert nodes.ok("%%sky --on 0\nn").text == "0"


def test_values_and_errors_with_half_of_a_pair_are_shown(nodes: Kernel) -> None:
    body = "class R:\n    def __repr__(self): return 'repr \\ud800'\n"
    assert nodes.ok(f"%%sky\n{body}display(R())\nR()").text.endswith("[0-2] repr \\ud800")
    shown = nodes.run("%%sky\nraise ValueError('bad \\ud800')")
    assert shown.evalue.startswith("ValueError: bad \\ud800 (on")
    assert "bad \\ud800" in shown.traceback
