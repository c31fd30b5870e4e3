"""Every message: its fields in docs/protocol.md's order, there and back, and ValueError for whatever is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net import commands, fields, messages, plain, records, wire, work
from mpboot.net.hello import Hello
from tests.net.kinds import (
    FLAG,
    KEY,
    MOST,
    NAME,
    NODE,
    PID,
    RANK,
    RANKS,
    TEXT,
    TOLD,
    WAYS,
    WHOLE,
    Kind,
    many,
    maybe,
    real,
    whole,
)

MANY = 1 << 20  # of attempts or levels
REFUSED = r"^(no |neither true nor false|too many ranks)"


FIELDS: dict[type[Any], dict[str, Kind]] = {}


def of(record: Any) -> Kind:
    """A record among the values, as its row."""
    row = [kind.right[0] for kind in FIELDS[record].values()]
    made = st.tuples(*(kind.made for kind in FIELDS[record].values())).map(lambda values: record(*values))
    return Kind(made, [row], [None, [], [*row, 0], {}, "ab"])


FIELDS[messages.Afar] = {"alone": FLAG, "user": maybe(NAME), "port": maybe(whole(1, 65535)), "address": maybe(NAME)}
FIELDS[messages.HostOrder] = {
    "rank": RANK, "label": NAME, "name": NAME, "user": maybe(NAME), "port": maybe(whole(1, 65535)), "attempts": WHOLE,
    "here": FLAG, "key": KEY, "python": maybe(NAME), "afar": maybe(of(messages.Afar)),
}  # fmt: skip
FIELDS[messages.BootSettings] = {
    "topology": NAME, "children": WHOLE, "timeout": real(), "retries": WHOLE, "wait_for": real(), "rsh": TEXT,
    "rsh_words": many(TEXT), "transport": NAME, "shell_probe": NAME, "attach": FLAG, "budget": real(), "command": FLAG,
    "verbose": FLAG, "psutil": many(TEXT), "python": NAME,
}  # fmt: skip
FIELDS[messages.Share] = {
    "boot": of(messages.BootSettings), "level": whole(0, MANY), "clock": real(0.0, 1e8), "slowest": real(0.0, 1e8),
    "ways": WAYS, "hosts": many(of(messages.HostOrder)),
}  # fmt: skip
FIELDS[messages.Up] = {
    "rank": RANK, "parent": NODE, "level": WHOLE, "launched": real(-1e9), "up": real(), "pid": PID, "attempts": WHOLE,
    "python": NAME,
}  # fmt: skip
FIELDS[messages.Failed] = {
    "rank": RANK, "cause": NAME, "phase": NAME, "attempts": WHOLE, "launcher": NODE, "detail": TOLD, "stderr": TOLD,
}  # fmt: skip
FIELDS[messages.Why] = {"cause": NAME, "phase": NAME, "detail": TOLD, "stderr": TOLD}
FIELDS[messages.HostBack] = {"rank": RANK, "attempts": whole(0, MANY), "why": maybe(of(messages.Why))}
FIELDS[messages.Returned] = {"hosts": many(of(messages.HostBack)), "tried": FLAG, "disabled": FLAG}
FIELDS[messages.Launched] = {"launched": WHOLE, "strangers": WHOLE}
FIELDS[commands.Exit] = {
    "rank": RANK, "job": whole(1), "code": maybe(whole(0, 255)), "signal": whole(0, 64), "seconds": real(),
    "sent": whole(0, 1 << 60),
}  # fmt: skip
FIELDS[commands.Note] = {"rank": NODE, "what": NAME, "text": TOLD}
FIELDS[messages.LaunchSeen] = {
    "rank": RANK, "launcher": NODE, "attempt": WHOLE, "seconds": real(), "phase": maybe(NAME), "still": maybe(real()),
    "tcp": many(many(NAME, 2, [["a", "b", "c"]]), 8, [[["a", "b"]] * 9]), "statuses": many(NAME, 16, [["s"] * 17]),
    "tty": NAME,
}  # fmt: skip
FIELDS[messages.UnderWay] = {"launches": many(of(messages.LaunchSeen)), "to_come": WHOLE}
FIELDS[messages.Want] = {"kept": many(NAME)}

RECORDS = list(FIELDS)
EACH_FIELD = [
    pytest.param(record, field, id=f"{record.__name__}.{field}") for record in RECORDS for field in FIELDS[record]
]
HELLO: dict[str, Kind] = {
    "id": WHOLE, "rank": RANK, "pid": PID, "python": NAME, "compiled": FLAG, "orphan": FLAG,
    "lost": Kind(st.lists(st.tuples(st.integers(-1, MOST), st.integers(1, MOST))), [[], [[-1, 1], [0, 7]]],
                 [None, [[1]], [[1, 2, 3]], [[-2, 1]], [[1, 0]], [["1", 1]], ["12"]]),
    "below": RANKS, "left": RANKS, "failed": RANKS, "proof": KEY,
    "ways": Kind(st.lists(st.tuples(st.lists(st.integers(0, MOST), max_size=3), RANKS.made), max_size=3),
                 [[], [[[1, MOST], "0-4"], [[], ""]]],
                 [None, "ab", [[1]], [[[-1], "0"]], [["1", "0"]], [[[1], 0]], [[[1], "x"]], [[[1] * 65, "0"]],
                  [[[1], "0"]] * 1025]),
}  # fmt: skip
ALWAYS = ["id", "rank", "pid", "python"]

UNPACKERS: dict[str, Callable[[bytes], Any]] = {
    **{record.__name__: record.unpack for record in RECORDS},
    **{f"many {record.__name__}": record.unpack_all for record in RECORDS},
    "Hello": Hello,
    "number": fields.number,
}


def rows(record: type[Any]) -> list[Any]:
    """A row of what is right."""
    return [kind.right[0] for kind in FIELDS[record].values()]


# -- there and back --------------------------------------------------------------------------------


def test_every_record_is_here() -> None:
    made = {**vars(messages), **vars(commands)}.values()
    there = {one for one in made if isinstance(one, type) and issubclass(one, records.Record)}
    assert there - {records.Record} == set(RECORDS)


@pytest.mark.parametrize("record", RECORDS)
@given(data=st.data())
def test_there_and_back(record: type[Any], data: st.DataObject) -> None:
    sent = data.draw(of(record).made)
    assert record.unpack(sent.pack()) == sent
    assert record.unpack_all(record.pack_all([sent, sent])) == [sent, sent]


@pytest.mark.parametrize("record", RECORDS)
def test_the_values_stand_in_this_order(record: type[Any]) -> None:
    row = [f"value {at}" for at in range(len(FIELDS[record]))]
    made = record(*row)
    assert [getattr(made, field) for field in FIELDS[record]] == row == json.loads(made.pack())


@pytest.mark.parametrize(("record", "field"), EACH_FIELD)
def test_what_a_field_takes_and_what_it_refuses(record: type[Any], field: str) -> None:
    at = list(FIELDS[record]).index(field)
    row = rows(record)
    for value in FIELDS[record][field].right:
        row[at] = value
        taken = record.unpack(json.dumps(row).encode()).row()[at]
        assert taken == ([list(pair) for pair in value] if field == "env" else value)
    for value in FIELDS[record][field].wrong:
        row[at] = value
        with pytest.raises(ValueError, match=REFUSED):
            record.unpack(json.dumps(row).encode())


@pytest.mark.parametrize("record", RECORDS)
def test_one_value_more_or_less_is_refused(record: type[Any]) -> None:
    for row in ([*rows(record), 0], rows(record)[:-1]):
        with pytest.raises(ValueError, match="no list of"):
            record.unpack(json.dumps(row).encode())


# -- junk ------------------------------------------------------------------------------------------

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.sampled_from([*HELLO, "x"]), inner, max_size=5),
    max_leaves=9,
)
SHORT = {record: rows(record) for record in RECORDS}


def refuses(unpack: Callable[[bytes], Any], body: bytes) -> None:
    """It may be taken, by chance, or is a ValueError."""
    try:
        unpack(body)
    except ValueError:
        return


@given(JUNK | st.lists(JUNK, min_size=2, max_size=14))
def test_values_that_are_not_meant(junk: Any) -> None:
    for unpack in UNPACKERS.values():
        refuses(unpack, json.dumps(junk).encode())


@given(data=st.data())
def test_a_message_with_one_value_that_is_not_meant(data: st.DataObject) -> None:
    junk = data.draw(JUNK)
    for record in RECORDS:
        for at, _ in enumerate(FIELDS[record]):
            row = SHORT[record].copy()
            row[at] = junk
            refuses(record.unpack, json.dumps(row).encode())


@given(st.binary(max_size=40))
def test_bytes_of_any_kind(body: bytes) -> None:
    for unpack in UNPACKERS.values():
        refuses(unpack, body)


@pytest.mark.parametrize("name", UNPACKERS)
@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"[[]", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b'"\xc3"', b"[NaN]", b"[1e999]", b"9" * 5000,
     b"[" + b"9" * 5000 + b"]", b"[-" + b"9" * 30 + b"]", b"null", b"true", b"{}", b"[null]", b"[[null]]", b"-1",
     b"1 2", "٣".encode(), b"[[],[]]]"],
    ids=range(21),
)  # fmt: skip
def test_no_message_at_all(name: str, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        UNPACKERS[name](body)


# -- numbers ---------------------------------------------------------------------------------------


@given(st.integers(0, MOST))
def test_a_number_there_and_back(value: int) -> None:
    assert fields.number(b"%d" % value) == value


def test_the_range_of_a_number() -> None:
    assert [fields.number(body, 1, 64) for body in (b"1", b"64", b"0000000009")] == [1, 64, 9]
    assert fields.number(b"0") == 0
    for body in (b"0", b"65", b"-1", b"+1", b"1_0", b" 1", b"1\n", b"1.0", b"0x1", b"00000000001"):
        with pytest.raises(ValueError, match=r"^no "):
            fields.number(body, 1, 64)
    with pytest.raises(ValueError, match="no whole number"):
        fields.number(b"%d" % (MOST + 1))


# -- HELLO -----------------------------------------------------------------------------------------


def hello(**fields: Any) -> Hello:
    return Hello(plain.dumps({"id": 1, "rank": 2, "pid": 3, "python": "3.8.1", **fields}))


def test_a_hello() -> None:
    said = hello()
    assert (said.id, said.rank, said.pid, said.python) == (1, 2, 3, "3.8.1")
    assert (said.orphan, said.parent) == (False, False)
    assert [said.lost, said.below, said.left, said.failed, said.ways, said.family] == [[], [], [], [], [], []]
    assert said.proof == b""


def test_the_hello_of_an_orphan() -> None:
    about = Hello.about_family([5], [8, 7], [6], [((1, 2), [5, 8]), ((3,), [6, 7])], b"p" * 16)
    said = hello(orphan=True, lost=[[-1, 7], [4, 8]], **about)
    assert (said.orphan, said.parent) == (True, True)
    assert [tuple(pair) for pair in said.lost] == [(-1, 7), (4, 8)]
    assert [said.below, said.left, said.failed] == [[5], [7, 8], [6]]
    assert said.family == [5, 7, 8, 6]
    assert (said.ways, said.proof) == ([([1, 2], [5, 8]), ([3], [6, 7])], b"p" * 16)
    assert not hello(orphan=True, lost=[]).parent
    assert hello(below="").parent


def test_a_hello_speaks_for_no_more_hosts_than_it_may() -> None:
    """All its ways together, too: they cost memory before anybody can tell whether they are right."""
    said: dict[str, Any] = {"id": 1, "rank": 2, "pid": 3, "python": ""}
    body = plain.dumps({**said, "below": "0-3", "ways": [[[1], "0-1"], [[2], "2-3"]]})
    assert Hello(body, 4).below == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="too many ranks"):
        Hello(body, 3)
    repeated = plain.dumps({**said, "ways": [[[1], "0-3"]] * 2})
    with pytest.raises(ValueError, match="too many ranks"):
        Hello(repeated, 7)
    assert len(Hello(repeated, 8).ways) == 2


@pytest.mark.parametrize("field", HELLO)
def test_what_a_field_of_hello_takes_and_what_it_refuses(field: str) -> None:
    for value in HELLO[field].right:
        hello(**{field: value})
    for value in HELLO[field].wrong:
        with pytest.raises(ValueError, match=REFUSED):
            Hello(json.dumps({"id": 1, "rank": 2, "pid": 3, "python": "", **{field: value}}).encode())


@pytest.mark.parametrize("field", HELLO)
def test_who_says_hello_says_who_it_is(field: str) -> None:
    said = {name: kind.right[0] for name, kind in HELLO.items() if name != field}
    if field in ALWAYS:
        with pytest.raises(ValueError, match=f"^no {field}$"):
            Hello(json.dumps(said).encode())
    else:
        Hello(json.dumps(said).encode())


def test_a_hello_says_nothing_else() -> None:
    with pytest.raises(ValueError, match="no object with the fields id, rank"):
        hello(name="h1")


# -- what an agent is told -------------------------------------------------------------------------


def test_what_the_root_is_told() -> None:
    own = work.agent_own(0, -1, "head", "", b"k", ())
    config = wire.AgentConfig(messages.agent_common((), [], 9.0, fd=7), own)
    assert (config.key, config.path, config.routes, config.lineage, config.silence) == (b"k", (), (), [], 9.0)
    assert (config.transport, config.attach, config.budget, config.trust_ssh) == ("auto", False, 0.0, False)
    assert (config.id, config.rank, config.host, config.marker, config.fd) == (0, -1, "head", "", 7)
    assert (config.kit, config.lost, config.shares) == ((), [], 0)


@pytest.mark.parametrize(("rsh", "trusted"), [("ssh", True), ("local", False), ("local {host}", True)])
def test_what_all_agents_of_a_node_are_told(rsh: str, trusted: bool) -> None:
    boot = messages.BootSettings("flat", 3, 20.0, 1, 2.0, rsh, [rsh], "tcp", "none", True, 2.5, True, False, [], "py")
    routes = ((7000, ("10.0.0.1",)),)
    common = messages.agent_common(routes, [[3, 33]], 9.0, boot)
    config = wire.AgentConfig(common, work.agent_own(4, 5, "h5", "M", b"k", [[-1, 2], [3, 1]]), (b"kit",))
    assert (config.key, config.path) == (b"k", ((-1, 2), (3, 1)))
    assert (config.routes, config.lineage, config.silence) == (routes, [[3, 33]], 9.0)
    assert (config.transport, config.attach, config.budget, config.trust_ssh) == ("tcp", True, 2.5, trusted)
    assert config.fd is None
    assert (config.id, config.rank, config.host, config.marker, config.kit) == (4, 5, "h5", "M", (b"kit",))


def test_a_host_with_more_launches_behind_it() -> None:
    host = messages.HostOrder(3, "label", "name", "me", 2222, 1, False, "0" * 32, "py", None)
    assert host.after(4, "1" * 32) == messages.HostOrder(3, "label", "name", "me", 2222, 4, False, "1" * 32, "py", None)
    assert (host.attempts, host.key) == (1, "0" * 32)


@pytest.mark.parametrize(("timeout", "budget", "patience"), [(6.0, 2.0, 2.0), (30.0, 2.0, 10.0), (600.0, 2.0, 20.0),
                                                             (3.0, 2.5, 2.5)])  # fmt: skip
def test_who_took_a_connection_has_a_third_of_the_launch_to_prove_itself(
    timeout: float, budget: float, patience: float
) -> None:
    """…but never less than is given to who takes none."""
    last: tuple[Any, ...] = ("ssh", ["ssh"], "auto", "none", False, budget, False, False, [])
    boot = messages.BootSettings("flat", 3, timeout, 1, 0.0, *last)
    config = wire.AgentConfig(messages.agent_common((), [], 9.0, boot), work.agent_own(1, 2, "h", "M", b"k", ()))
    assert (config.budget, config.patience) == (budget, patience)


def test_each_host_of_a_share_has_its_way() -> None:
    hosts = [messages.HostOrder(rank, "h", "h", None, None, 0, True, "0" * 32, None, None) for rank in range(3)]
    last: Any = ("auto", "none", False, 1.0, False, False, [], "py")
    boot = messages.BootSettings("flat", 3, 5.0, 1, 0.0, "ssh", ["ssh"], *last)
    share = messages.Share(boot, 1, 0.0, 0.0, [([(-1, 1)], 2), ([(-1, 2), (4, 1)], 1)], hosts)
    assert [way for _, way in messages.Share.unpack(share.pack()).each()] == [[(-1, 1)], [(-1, 1)], [(-1, 2), (4, 1)]]
    assert [host for host, _ in share.each()] == hosts
    for count in (2, 4):
        with pytest.raises(ValueError, match="not as many ways as hosts"):
            messages.Share(boot, 1, 0.0, 0.0, [([(-1, 1)], count)], hosts).each()
