"""The dashboard's model: what it sends, what it passes on, and when it stops."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from skyward_jupyter.actors.source import Ended
from skyward_jupyter.agent.accelerators import GpuLoad
from skyward_jupyter.api.viewing.sight import LEASE
from skyward_jupyter.events import TaskTimes
from skyward_jupyter.widgets import dashboard as module
from skyward_jupyter.widgets import view as views
from skyward_jupyter.widgets.dashboard import LOGGED, Dashboard, show
from skyward_jupyter.widgets.tasks import packed
from skyward_jupyter.widgets.view import UNBUILT
from tests.unit.widgets.fakes import Source, delta, node, snapshot

PLACE = '<div data-skyward="'


@pytest.fixture
def source() -> Source:
    return Source(snapshot(node(0), node(1)))


@pytest.fixture
def dashboard(source: Source) -> Iterator[Dashboard]:
    made = Dashboard(source)
    yield made
    made.close()


@pytest.fixture
def sent(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """What the widget sends to the page."""
    messages: list[tuple[Any, Any]] = []
    monkeypatch.setattr(dashboard, "send", lambda content, buffers=None: messages.append((content, buffers)))
    return messages


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A kernel with a built widget."""
    monkeypatch.setattr(module, "kernel_shell", object)
    monkeypatch.setattr(module, "built", lambda family: True)
    yield
    for known in list(module._dashboards.values()):
        known.close()


def page_says(dashboard: Dashboard, **content: object) -> None:
    dashboard._handle_custom_msg(content, [])


def test_traits_are_json_and_logs_travel_apart(dashboard: Dashboard) -> None:
    assert json.loads(json.dumps(dashboard.snapshot))["pool"] == "lab"
    assert all("log" not in row for row in dashboard.snapshot["nodes"])
    assert dashboard.logs == {"0": ["up"], "1": ["up"]}


def test_only_the_end_of_a_long_log_travels() -> None:
    lines = [str(line) for line in range(LOGGED + 50)]
    made = Dashboard(Source(snapshot(node(0, log=lines))))
    assert made.logs["0"] == lines[50:]
    made.close()


def test_a_delta_is_one_message_with_one_buffer(
    dashboard: Dashboard, source: Source, sent: list[tuple[Any, Any]]
) -> None:
    tick = delta((2, 50, 100, 1, 5, 1), (0, 0, 50, 0, 6, 0))
    source.views[0].delta(tick)
    content = {"kind": "delta", "seq": 1, "at": tick.at, "queued": 3, "rate": 1.5, "so_far": 0.0}
    assert sent == [(content | {"ended": (11, 0, 0)}, [tick.rows])]


def test_gpus_come_with_a_delta_where_there_are_any(
    dashboard: Dashboard, source: Source, sent: list[tuple[Any, Any]]
) -> None:
    gpus = {1: (GpuLoad(0, 512.0, 81559.0, 98.0, 63.0, None), GpuLoad(1, None, None, None, None, None))}
    source.views[0].delta(replace(delta((2, 50, 100, 1, 5, 1), (0, 0, 50, 0, 6, 0)), gpus=gpus))
    assert sent[0][0]["gpus"] == {"1": [[0, 98.0, 512.0, 81559.0], [1, None, None, None]]}


def test_a_refusal_is_a_message(dashboard: Dashboard, source: Source, sent: list[tuple[Any, Any]]) -> None:
    source.views[0].refuse("this pool has at most 8 nodes")
    assert sent == [({"kind": "refusal", "sentence": "this pool has at most 8 nodes"}, None)]


def test_commands_are_passed_on_as_they_came(dashboard: Dashboard, source: Source) -> None:
    page_says(dashboard, kind="scale", nodes=3)
    page_says(dashboard, nonsense=True)
    assert source.commands == [{"kind": "scale", "nodes": 3}]


def test_the_pool_is_seen_while_any_view_is(dashboard: Dashboard, source: Source) -> None:
    for view, visible in (("a", True), ("b", True), ("a", False), ("b", False), ("b", False)):
        page_says(dashboard, kind="visible", visible=visible, view=view)
    assert source.seen == [True, True, True, False]


def test_tasks_are_sent_while_a_view_draws_them(dashboard: Dashboard, source: Source) -> None:
    for view in ("a", "b"):
        page_says(dashboard, kind="visible", visible=True, view=view)
        page_says(dashboard, kind="tasks", after=5, view=view)
    page_says(dashboard, kind="tasks", after=-1, view="a")
    assert source.drawn == [5, 5]
    page_says(dashboard, kind="visible", visible=False, view="b")
    assert source.drawn == [5, 5, None]


def test_tasks_travel_in_a_buffer_of_their_own(
    dashboard: Dashboard, source: Source, sent: list[tuple[Any, Any]]
) -> None:
    ended = Ended(7, [TaskTimes(1, "f", 0, 1.0, 1.0, 1.0, 2.0, 2.0)])
    tick = replace(delta((2, 50, 100, 1, 5, 1)), ended=ended)
    source.views[0].delta(tick)
    header, rows = packed(ended)
    assert sent[0][0]["tasks"] == header
    assert sent[0][1] == [tick.rows, rows]


def test_the_end_keeps_the_tasks(dashboard: Dashboard, source: Source) -> None:
    source.times = [TaskTimes(1, "f", 0, 1.0, 1.0, 1.0, 2.0, 2.0)]
    source.views[0].close(snapshot(state="stopped"))
    header, rows = packed(source.ended())
    assert dashboard.last["tasks"] == {**header, "rows": rows}
    assert "1 task in 1 s on 1 node" in dashboard.bundle()["text/html"]


def test_a_view_that_fell_silent_is_forgotten(
    dashboard: Dashboard, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 100.0
    monkeypatch.setattr("skyward_jupyter.api.viewing.sight.time.monotonic", lambda: clock)
    page_says(dashboard, kind="visible", visible=True, view="a")
    clock += LEASE + 1
    source.views[0].delta(delta((0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0)))
    page_says(dashboard, kind="visible", visible=True, view="a")
    assert source.seen == [True, False, True]


def test_the_end_is_final(dashboard: Dashboard, source: Source) -> None:
    view = source.views[0]
    view.delta(delta((2, 50, 100, 1, 5, 1), (0, 0, 50, 0, 6, 0)))
    view.close(snapshot(node(0), node(1), state="stopped"))
    page_says(dashboard, kind="scale", nodes=3)
    page_says(dashboard, kind="visible", visible=True, view="a")
    assert dashboard.snapshot["state"] == "stopped"
    assert (dashboard.last["finished"], dashboard.last["done"]) == (11.0, [5.0, 6.0])
    assert dashboard.ended > 0
    assert (source.views, source.commands, source.seen) == ([], [], [])
    assert PLACE not in dashboard.bundle()["text/html"]
    assert "11 tasks done" in dashboard.bundle()["text/plain"]


def test_closing_the_widget_detaches_it(source: Source) -> None:
    made = Dashboard(source)
    made.close()
    made.close()
    assert source.views == []


@pytest.mark.usefixtures("kernel")
def test_a_pool_has_one_model_however_often_it_is_shown(source: Source) -> None:
    first, second = show(source), show(source)
    assert first["text/html"].startswith(PLACE)
    assert first["text/html"].split(">")[0] == second["text/html"].split(">")[0]
    assert set(first) == {"text/plain", "text/html"}
    assert len(source.views) == 1


@pytest.mark.usefixtures("kernel")
def test_a_pool_that_is_over_is_shown_without_a_widget() -> None:
    source = Source(snapshot(state="stopped"))
    assert set(show(source)) == {"text/plain", "text/html"}
    assert source.views == []


@pytest.mark.usefixtures("kernel")
def test_without_the_built_script_text_and_html_say_how_to_build_it(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "built", lambda family: False)
    bundle = show(source)
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"].endswith(UNBUILT)
    assert "`make`" in bundle["text/html"]


def test_outside_a_kernel_there_is_text_and_html_only(source: Source) -> None:
    assert set(show(source)) == {"text/plain", "text/html"}


@pytest.mark.usefixtures("kernel")
def test_what_was_presented_can_be_renewed(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    updates: list[dict[str, Any]] = []

    monkeypatch.setattr(views, "display", lambda bundle, **how: None)
    monkeypatch.setattr(views, "publish_display_data", lambda bundle, *more, **how: updates.append(bundle))
    module.renew(source)
    module.present(source)
    source.current = snapshot(node(0), state="ready", pool="now")
    module.renew(source)
    (update,) = updates
    assert update["text/html"].startswith(PLACE)
    assert "pool now: ready" in update["text/plain"]


@pytest.mark.usefixtures("kernel")
def test_what_was_presented_ends_as_text_and_html(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    updates: list[dict[str, Any]] = []

    monkeypatch.setattr(views, "display", lambda bundle, **how: None)
    monkeypatch.setattr(views, "publish_display_data", lambda bundle, *more, **how: updates.append(bundle))
    module.present(source)
    source.views[0].close(snapshot(state="stopped"))
    assert [set(bundle) for bundle in updates] == [{"text/plain", "text/html"}]
    assert "stopped" in updates[0]["text/plain"]
