"""What goes to workers and the watcher, and comes back: it arrives as it was, and junk is a ValueError."""

from __future__ import annotations

import marshal
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mpboot.net import work
from mpboot.net.records import Record

quick = hypothesis_settings(max_examples=60, deadline=None)

launches = st.integers(1, (1 << 31) - 1)
counts = st.integers(0, (1 << 31) - 1)
names = st.text(max_size=40)
reals = st.floats(0, 1e9)
words = st.lists(names, max_size=4)
states = st.lists(st.tuples(names, reals), max_size=12)
connections = st.lists(st.tuples(names, names), max_size=8)
verdicts = st.builds(work.Verdict, names, names, names, states, names)
ways = st.lists(st.tuples(st.integers(-1, (1 << 31) - 1), launches), max_size=4).map(tuple)
ports = st.integers(1, 65535)
parts = st.lists(st.text(max_size=5) | st.binary(max_size=5), max_size=4).map(tuple)
values = st.lists(counts | names | st.none() | st.binary(max_size=5), max_size=4).map(tuple)

all_settings = st.builds(
    work.LaunchSettings, names, words, reals, names, st.booleans(), ports, words, words, words, parts, values, names,
    st.booleans(),
)  # fmt: skip
worker_orders = st.builds(
    work.LaunchOrder,
    launches,
    counts,
    names,
    st.none() | names,
    st.none() | ports,
    names,
    st.binary(max_size=64),
    ways,
    st.none() | names,
    st.none() | names,
) | st.builds(work.Cancel)
worker_results = (
    st.builds(work.Started, launches, launches, st.integers(0, 1 << 62), counts, launches)
    | st.builds(work.Ended, launches, verdicts)
    | st.builds(work.NoFork, counts, counts)
)
watcher_orders = (
    st.builds(work.FindPsutil, words)
    | st.builds(work.Watch, launches, names, launches, counts, reals)
    | st.builds(work.Forget, launches)
    | st.builds(work.Tell)
)
watcher_results = (
    st.builds(work.Hung, launches, names, names, names)
    | st.builds(work.Sighting, launches, names, reals, connections, st.lists(names, max_size=16), names)
    | st.builds(work.Told)
    | st.builds(work.Blind)
    | st.builds(work.NoFork, counts, counts)
)

Unpack = Callable[[Any], Any]
LAST = (b"key", [(-1, 1)], None, None)  # of a LaunchOrder
PIPES: list[tuple[Unpack, st.SearchStrategy[Any]]] = [
    (work.worker_order, worker_orders),
    (work.worker_result, worker_results),
    (work.watcher_order, watcher_orders),
    (work.watcher_result, watcher_results),
]
KINDS = [
    work.LaunchOrder, work.Cancel, work.Started, work.Ended, work.NoFork, work.FindPsutil, work.Watch, work.Forget,
    work.Tell, work.Hung, work.Sighting, work.Told, work.Blind,
]  # fmt: skip

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def through_marshal(value: Any) -> Any:
    """As it comes out at a pipe's other end."""
    return marshal.loads(marshal.dumps(value))


@pytest.mark.parametrize(("unpack", "messages"), PIPES)
@quick
@given(data=st.data())
def test_a_message_arrives_as_it_was(unpack: Unpack, messages: st.SearchStrategy[Any], data: st.DataObject) -> None:
    sent = data.draw(messages)
    got = unpack(through_marshal(sent.plain()))
    assert type(got) is type(sent)
    assert got == sent


@quick
@given(all_settings)
def test_settings_arrive_as_they_were(sent: work.LaunchSettings) -> None:
    assert work.LaunchSettings.of(through_marshal(sent.row())) == sent


@pytest.mark.parametrize(("unpack", "messages"), PIPES)
@quick
@given(data=st.data())
def test_junk_is_a_value_error(unpack: Unpack, messages: st.SearchStrategy[Any], data: st.DataObject) -> None:
    del messages
    name = data.draw(st.sampled_from([kind.__name__ for kind in KINDS]) | plain)
    junk = data.draw(plain | st.lists(plain, max_size=7).map(lambda row: [name, *row]))
    try:
        got = unpack(through_marshal(junk))
    except ValueError:
        return
    assert isinstance(got, Record)  # by chance it is none
    assert got.CHECKS.keys() or junk == [type(got).__name__]


@quick
@given(plain)
def test_junk_is_no_settings(junk: Any) -> None:
    with pytest.raises(ValueError, match="no list of 13 values"):
        work.LaunchSettings.of(through_marshal(junk))


@pytest.mark.parametrize(
    ("unpack", "kinds"),
    [
        (work.worker_order, {"LaunchOrder", "Cancel"}),
        (work.worker_result, {"Started", "Ended", "NoFork"}),
        (work.watcher_order, {"FindPsutil", "Watch", "Forget", "Tell"}),
        (work.watcher_result, {"Hung", "Sighting", "Told", "Blind", "NoFork"}),
    ],
)
def test_a_message_goes_only_through_its_own_pipe(unpack: Unpack, kinds: set[str]) -> None:
    verdict = ["", "", "", [], ""]
    samples: list[list[Any]] = [
        ["LaunchOrder", 1, 2, "h", None, None, "h", *LAST], ["Cancel"], ["Started", 1, 2, 5, 3, 4],
        ["Ended", 1, verdict], ["NoFork", 0, 11], ["FindPsutil", []], ["Watch", 1, "h", 2, 3, 4.0], ["Forget", 1],
        ["Tell"], ["Hung", 1, "", "", ""], ["Sighting", 1, "", 0.0, [], [], ""], ["Told"], ["Blind"],
    ]  # fmt: skip
    taken = set()
    for sample in samples:
        try:
            taken.add(type(unpack(sample)).__name__)
        except ValueError as error:
            assert str(error).startswith("none of ")  # noqa: PT017
    assert taken == kinds


SETTINGS = ["ssh", ["ssh"], 30.0, "none", False, 1, [], [], [], ["code", b"code"], [1], "py", True]


@pytest.mark.parametrize(
    ("at", "wrong"),
    [
        (12, None), (12, 1), (9, None), (9, "x" * 600),
        (0, b"ssh"), (1, "ssh"), (1, [1]), (2, -1.0), (2, float("nan")), (2, "30"), (3, None), (4, 0), (5, 0),
        (5, 65536), (5, True), (6, None), (7, [1]), (7, None),
        (7, ["x" * ((1 << 24) + 1)]), (7, [b"x" * ((1 << 24) + 1)]), (8, {}),
    ],
)  # fmt: skip
def test_settings_are_checked(at: int, wrong: object) -> None:
    assert work.LaunchSettings.of(SETTINGS).timeout == 30.0
    values: list[object] = [*SETTINGS]
    values[at] = wrong
    with pytest.raises(ValueError, match=r"^no|^neither"):
        work.LaunchSettings.of(values)


@pytest.mark.parametrize(
    ("unpack", "junk"),
    [
        (work.worker_order, ["LaunchOrder", 0, 2, "h", None, None, "h", *LAST]),  # launches count from 1
        (work.worker_order, ["LaunchOrder", 1, -1, "h", None, None, "h", *LAST]),
        (work.worker_order, ["LaunchOrder", 1, 2, None, None, None, "h", *LAST]),
        (work.worker_order, ["LaunchOrder", 1, 2, "h", 3, None, "h", *LAST]),
        (work.worker_order, ["LaunchOrder", 1, 2, "h", None, 0, "h", *LAST]),
        (work.worker_order, ["LaunchOrder", 1, 2, "h", None, 65536, "h", *LAST]),
        (work.worker_order, ["LaunchOrder", 1, 2, "h", None, None, "h", b"key", None]),
        (work.worker_order, ["LaunchOrder", 1, 2, "h", None, None, "h", "key", [], None]),
        (work.worker_order, ["LaunchOrder", 1, 2, "h", None, None, "h", b"k" * 65, [], None]),
        (work.worker_order, ["LaunchOrder", 1, 2, "h", None, None, "h", b"key", [(-2, 1)], None]),
        (work.worker_order, ["LaunchOrder", 1, 2, "h", None, None, "h", b"key", [(-1, 0)], None]),
        (work.worker_order, ["LaunchOrder", 1, 2, "h", None, None, "h", b"key", [(-1, 1, 2)], None]),
        (work.worker_order, ["Cancel", 1]),
        (work.worker_order, []),
        (work.worker_order, None),
        (work.worker_order, "Cancel"),
        (work.worker_result, ["Started", 1, 0, 5, 3, 4]),  # no process has the number 0
        (work.worker_result, ["Started", 1, 2, 5, -1, 4]),
        (work.worker_result, ["Started", 1, 2, 5, 3, 0]),
        (work.worker_result, ["Started", 1, 2, -1, 3, 4]),
        (work.worker_result, ["Started", 1, 2, (1 << 62) + 1, 3, 4]),
        (work.worker_result, ["Started", 1, 2, 3, 4]),
        (work.worker_result, ["Ended", 1, ["", "", "", [["shell"]], ""]]),
        (work.worker_result, ["Ended", 1, ["", "", "", [["shell", 1.0]] * 13, ""]]),
        (work.worker_result, ["Ended", 1, ["x" * 513, "", "", [], ""]]),
        (work.worker_result, ["Ended", 1, ["", "", "x" * 4097, [], ""]]),
        (work.worker_result, ["Ended", 1, None]),
        (work.worker_result, ["NoFork", -1, 11]),
        (work.watcher_order, ["Watch", 1, "h", 0, 3, 4.0]),
        (work.watcher_order, ["Watch", 1, "h", 2, 3, None]),
        (work.watcher_order, ["FindPsutil", [b"/"]]),
        (work.watcher_result, ["Sighting", 1, "", 0.0, [["SYN_SENT"]], [], ""]),
        (work.watcher_result, ["Sighting", 1, "", 0.0, [["a", "b"]] * 9, [], ""]),
        (work.watcher_result, ["Sighting", 1, "", 0.0, [], ["sleeping"] * 17, ""]),
        (work.watcher_result, ["Hung", 0, "", "", ""]),
    ],
)
def test_what_does_not_fit_is_refused(unpack: Unpack, junk: object) -> None:
    with pytest.raises(ValueError, match=r"^no"):
        unpack(junk)
