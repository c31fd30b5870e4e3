"""What hostile hosts do, a row each: the name of a row is that of a host that does so."""

from __future__ import annotations

import json
from typing import Any, Callable, NamedTuple

from mpboot.net import keys, wire
from mpboot.net.outlet import HEAD
from mpboot.node import leaf
from tests.support.hostile_agent import Agent, output

FORGED = "forged by a hostile host"
UNKNOWN = 77_777  # a rank that no boot of these tests has
PIECE = 1 << 14  # bytes of each frame of a flood
MEGABYTES = 1 << 20


class Row(NamedTuple):
    """What a host does once it is up, and what its parent says of it then; nothing if it may stay."""

    act: Callable[[Agent], object]
    said: str


def says(kind: int, body: Callable[[Agent], Any] | bytes, wanted: int = wire.SHARE) -> Callable[[Agent], None]:
    """Say this after what is ``wanted`` has come."""

    def act(agent: Agent) -> None:
        agent.hear(wanted)
        agent.say(kind, body if isinstance(body, bytes) else body(agent))

    return act


# -- what can be said of a host ----------------------------------------------------------------------------------


def up(rank: int, parent: int = -1) -> Any:
    return [[rank, parent, 1, 0.1, 0.2, 4711, 1, "3.11.2"]]


def failed(rank: int, launcher: int = -1) -> Any:
    return [[rank, "refused", "connect", 2, launcher, FORGED, FORGED]]


def back(rank: int, attempts: int = 1) -> Any:
    return [[[rank, attempts, ["refused", "connect", FORGED, ""]]], False, False]


def told(rank: int, launcher: int = -1) -> Any:
    return [[[rank, launcher, 1, 1.0, None, None, [], [], ""]], 0]


def forged(rank: int) -> bytes:
    return output(rank, FORGED)


WORDS: dict[str, tuple[int, Callable[[int], Any]]] = {
    "up": (wire.UP, up),
    "failed": (wire.FAILED, failed),
    "return": (wire.RETURN, back),
    "note": (wire.NOTE, lambda rank: [rank, "leaf", FORGED]),
    "told": (wire.TOLD, told),
    "exit": (wire.EXIT, lambda rank: [[rank, 1, 7, 0, 0.5, 0]]),
    "out": (wire.OUT, forged),
}
KINDS = {value: name for name, value in vars(wire).items() if name.isupper() and type(value) is int and value < 24}
NOT_GIVEN, NO_COMMAND = "speaks for a host that it was not given", "no such command runs on the host"


def about(kind: int, body: Callable[[int], Any], whom: Callable[[Agent], int], said: str) -> Row:
    """Say this of somebody, when the command is to run."""
    return Row(says(kind, lambda agent: body(whom(agent)), wire.RUN), said)


def words_for_others() -> dict[str, Row]:
    """Of a sibling (or the parent), of a host that there is not, of itself where that is its parent's to say."""
    rows = {}
    for name, (kind, body) in WORDS.items():
        said = f"{KINDS[kind]}.*({NOT_GIVEN}|{NO_COMMAND})"
        rows[name + "-sibling"] = about(kind, body, lambda agent: agent.other, said)
        rows[name + "-unknown"] = about(kind, body, lambda _: UNKNOWN, said)
        rows[name + "-huge"] = about(kind, body, lambda _: 1 << 70, KINDS[kind])
        rows[name + "-negative"] = about(kind, body, lambda _: -2, KINDS[kind])
        if name in ("up", "failed", "return"):
            rows[name + "-itself"] = about(kind, body, lambda agent: agent.me, said)
    many = [[rank, 1, 0, 0, 0.5, 0] for rank in range(100)]
    rows["exit-many"] = Row(says(wire.EXIT, lambda _: many), "EXIT.*" + NOT_GIVEN)
    rows["hello-again"] = Row(says(wire.HELLO, lambda agent: leaf.hello(agent.config)), "HELLO.*unexpected")
    rows["done-more"] = Row(says(wire.DONE, b"99"), "DONE.*more shares are done than it was given")
    return rows


# -- frames that nothing fits ------------------------------------------------------------------------------------

NONSENSE = {
    "cut": b"[[1,",
    "empty": b"",
    "null": b"null",
    "object": b'{"rank":1}',
    "text": b'"x"',
    "one": b"[1]",
    "float": b"[[1.0]]",
    "true": b"[[true,true]]",
    "infinite": b"[[1e999]]",
    "nan": b"[NaN]",
    "huge": b"[[" + b"9" * 6000 + b"]]",
    "deep": b"[" * 60_000,
    "closed": b"[" * 20_000 + b"]" * 20_000,
    "bytes": b"\xff\xfe\0",
    "long": b'["' + b"x" * 60_000 + b'"]',
}
BODIES = ("UP", "FAILED", "RETURN", "LAUNCHED", "DONE", "OUT", "EXIT", "TOLD", "NOTE", "WANT")
DOWNWARD = ("SHARE", "CODE", "RECLAIM", "GO", "RUN", "CREDIT", "PING", "STOP", "TELL", "PSUTIL")


def nonsense(kind: str) -> dict[str, Row]:
    """Bodies of one kind that are none of it."""
    number = getattr(wire, kind)
    return {
        f"{kind.lower()}-{name}": Row(says(number, body), rf"sent nonsense \({kind}") for name, body in NONSENSE.items()
    }


def not_its_business() -> dict[str, Row]:
    """What only goes down, and kinds that there are not."""
    rows = {kind.lower(): Row(says(getattr(wire, kind), b"1"), kind + ".*unexpected") for kind in DOWNWARD}
    rows.update((f"kind-{kind}", Row(says(kind, b""), f"{kind}.*unexpected")) for kind in (0, 32, 255))
    return rows


def framed(length: int) -> Callable[[Agent], None]:
    """A frame that says it has so many bytes, and no right MAC."""

    def act(agent: Agent) -> None:
        agent.hear(wire.SHARE)
        agent.raw(length.to_bytes(4, "big") + bytes(64))

    return act


FRAMES = {
    "frame-none": Row(framed(0), "a frame of 0 bytes"),
    "frame-short": Row(framed(16), "a frame of 16 bytes"),
    "frame-longer": Row(framed((1 << 16) + 1), "a frame of 65537 bytes"),
    "frame-longest": Row(framed((1 << 32) - 1), "a frame of 4294967295 bytes"),
    "frame-forged": Row(framed(60), "forged"),
    "frame-16-mb": Row(says(wire.UP, b"[" + b"[0]," * (4 << 20) + b"[0]]"), "a frame of"),
    "frame-64-kb": Row(says(wire.UP, b"[" + b"0," * 32_000 + b"0]"), "UP"),
}


def flood(kind: int, body: Callable[[Agent], Any], size: int, wanted: int = wire.RUN) -> Callable[[Agent], None]:
    """Say it until so many bytes are said, or the parent has had enough."""

    def act(agent: Agent) -> None:
        agent.hear(wanted)
        packed = body(agent)
        packed = packed if isinstance(packed, bytes) else json.dumps(packed).encode()
        for _ in range(size // (len(packed) + 21) + 1):
            agent.say(kind, packed)

    return act


FLOODS = {
    "out": Row(flood(wire.OUT, lambda agent: forged(agent.me)[:HEAD] + b"o" * PIECE, 384 * MEGABYTES), "credit"),
    "want": Row(flood(wire.WANT, lambda _: [["0" * 64]], 700 * 80), "WANT.*asks again"),
    "log": Row(flood(wire.LOG, lambda _: b"l" * PIECE, 64 * MEGABYTES), "LOG.*without end"),
    "note": Row(flood(wire.NOTE, lambda agent: [agent.me, "x", "n" * 4000], 16 * MEGABYTES), "NOTE.*without end"),
    "told": Row(flood(wire.TOLD, lambda _: [[], 1 << 30], 16 * MEGABYTES), "TOLD.*without end"),
    "launched": Row(flood(wire.LAUNCHED, lambda _: [1, 0], 4 * MEGABYTES), "launches nobody knows what"),
    "exit": Row(
        flood(wire.EXIT, lambda agent: [[agent.me, 1, 0, 0, 0.5, 0]], MEGABYTES), "OUT.*a command that has ended"
    ),
    # What costs nothing is let pass.
    "strangers": Row(flood(wire.LAUNCHED, lambda _: [0, (1 << 31) - 1], 10_000), ""),
    "pong": Row(flood(wire.PONG, lambda _: b"p" * PIECE, 64 * MEGABYTES), ""),
    "done": Row(flood(wire.DONE, lambda _: b"0", MEGABYTES), ""),
    "return": Row(flood(wire.RETURN, lambda _: [[], False, False], MEGABYTES), "RETURN.*nothing back, unasked"),
    "disabled": Row(flood(wire.RETURN, lambda _: [[], False, True], MEGABYTES), "RETURN.*nothing back, unasked"),
}


# -- on further connections --------------------------------------------------------------------------------------


def visits(
    hello: Callable[[Agent], dict[str, Any]], rank: Callable[[Agent], int | None] = lambda _: None, at: int = 0
) -> Row:
    """Visit an ancestor; the agent remains as it is."""
    return Row(lambda agent: agent.visit(hello(agent), rank(agent), at), "")


def claims(agent: Agent, ranks: str, ways: list[Any], parent_lost: bool = True) -> dict[str, Any]:
    """HELLO of an orphan that says these were its own."""
    lost = agent.config.lineage[:1] if parent_lost else []
    family = {"below": ranks, "left": "", "failed": "", "ways": ways, "proof": "00" * 16}
    return {"orphan": True, "lost": lost, **family}


def numbers(agent: Agent) -> list[int]:
    """Those on its own way from the root."""
    return [number for _, number in agent.config.path]


def next_one(agent: Agent) -> dict[str, Any]:
    """The next host, which has the same parent, is its own."""
    return claims(agent, f"{agent.me + 1}-{agent.me + 1}", [[numbers(agent), str(agent.me + 1)]])


def again_and_again(agent: Agent) -> None:
    """By its own key: it is dismissed, and then a stranger."""
    agent.visit({"orphan": True, "lost": []}, at=1)
    assert agent.did == "dismissed"
    agent.visit({"orphan": True, "lost": []}, at=1)


VISITS = {  # and what is to come of it
    "rank-of-sibling": (visits(lambda _: {}, lambda agent: agent.other), "turned away"),
    "hello-of-sibling": (visits(lambda agent: {"rank": agent.other}), "turned away"),
    "hello-of-nobody": (visits(lambda _: {"rank": UNKNOWN}), "turned away"),
    "once-more": (visits(lambda _: {}), "turned away"),
    "orphan-of-the-living": (visits(lambda _: {"orphan": True, "lost": []}), "turned away"),
    "orphan-with-all": (visits(lambda agent: claims(agent, "0-9", [])), "turned away"),
}
ORPHANS = {  # that turn to their grandparent
    "claims-no-way": (visits(lambda agent: claims(agent, "0-1", []), at=1), "turned away"),
    "claims-next": (visits(next_one, at=1), "turned away"),
    "claims-own-way": (visits(lambda agent: claims(agent, "0-1", [[numbers(agent), "0-1"]]), at=1), "turned away"),
    "claims-some-way": (visits(lambda agent: claims(agent, "0-1", [[[1, 1], "0-1"]]), at=1), "turned away"),
    "claims-unknown": (visits(lambda agent: claims(agent, "70-99", [[[1, 1], "70-99"]]), at=1), "turned away"),
    "claims-many": (visits(lambda agent: claims(agent, "0-999999998", []), at=1), "turned away"),
    "claims-to-be-next": (visits(lambda _: {}, lambda agent: agent.me + 1, at=1), "turned away"),
    "claims-to-be-other": (visits(lambda _: {"orphan": True}, lambda agent: agent.other, at=1), "turned away"),
    "moves": (visits(lambda agent: claims(agent, "", []), at=1), "dismissed"),  # its parent is alive
    "claims-itself-again": (Row(again_and_again, ""), "turned away"),
    "claims-itself": (visits(lambda _: {"orphan": True, "lost": []}, at=1), "dismissed"),
}


# -- with hosts in its care --------------------------------------------------------------------------------------


def keeps(do: Callable[[Agent], object] = lambda _: None, pause: float = 0.2) -> Callable[[Agent], None]:
    """Take hosts, never be done with them, and do this now and then."""

    def act(agent: Agent) -> None:
        agent.deaf.add(wire.SHARE)
        agent.wait_for_hosts()
        while True:
            do(agent)
            agent.hear(seconds=pause)

    return act


def each_share(do: Callable[[Agent], object]) -> Callable[[Agent], None]:
    """Do this with every share, and never anything else."""

    def act(agent: Agent) -> None:
        agent.deaf.add(wire.SHARE)
        agent.obey()
        while agent.hear(wire.SHARE) is not None:
            if agent.care:
                agent.wait_for_hosts()
            do(agent)

    return act


def care(kind: int, body: Callable[[Agent], Any]) -> Callable[[Agent], None]:
    """Say this of a host in its care."""
    return keeps(lambda agent: agent.say(kind, body(agent)))


CARE = {
    "parent": Row(care(wire.UP, lambda agent: up(agent.care[0], UNKNOWN)), "UP.*" + NOT_GIVEN),
    "launcher": Row(care(wire.FAILED, lambda agent: failed(agent.care[0], UNKNOWN)), "FAILED.*" + NOT_GIVEN),
    "cause": Row(
        care(wire.FAILED, lambda agent: [[agent.care[0], "banana", "", 1, agent.me, "", ""]]), "FAILED.*no such cause"
    ),
    "why": Row(
        care(wire.RETURN, lambda agent: [[[agent.care[0], 1, ["banana", "", "", ""]]], True, False]),
        "RETURN.*no such cause",
    ),
    "exit": Row(care(wire.EXIT, lambda agent: [[agent.care[0], 1, 256, 0, 0.5, 0]]), "EXIT"),
    "backwards": Row(care(wire.RETURN, lambda agent: back(agent.care[0], -1)), "RETURN"),
    "attempts": Row(care(wire.RETURN, lambda agent: [[[agent.care[0], (1 << 31) - 1, None]], True, False]), "RETURN"),
    "unasked": Row(
        each_share(lambda agent: agent.say(wire.RETURN, [[[one, 0, None] for one in agent.care], False, False])),
        "RETURN.*unasked",
    ),
}


def takes_back(family: bool) -> Callable[[Agent], None]:
    """Give the hosts back that it was given, and come to the grandparent as one of them, or as the parent of all."""

    def act(agent: Agent) -> None:
        agent.deaf.add(wire.SHARE)
        body = b""
        while not body:
            body = agent.hear(wire.SHARE)
        _, _, _, _, ((way, _),), hosts = json.loads(body)
        given = {one[0]: keys.veiled(agent.config.key, bytes.fromhex(one[7]), way[-1], one[0]) for one in hosts}
        agent.say(wire.RETURN, [[[rank, 0, None] for rank in given], True, False])
        agent.say(wire.DONE, b"1")
        orphan = {"orphan": True, "lost": agent.config.lineage[:1]}
        if family:
            ranks, numbers = ",".join(map(str, given)), agent.numbers(way, 1)
            proof = wire.mac(agent.config.key, *(given[rank] for rank in sorted(given))).hex()
            about = {"below": ranks, "left": "", "failed": "", "ways": [[numbers, ranks]], "proof": proof}
            agent.visit({**orphan, **about}, at=1)
        else:
            rank = min(given)
            mine = keys.of_launch(given[rank], 1)
            agent.visit({**orphan, "rank": rank}, rank, 1, mine, [*way, [agent.me, 1]])

    return act


TAKERS = {"takes-one": takes_back(family=False), "takes-all": takes_back(family=True)}
NOTHING_NEW = "says nothing new of its hosts"
STANDSTILL = {
    "nothing": Row(keeps(), NOTHING_NEW),
    "returns-none": Row(
        keeps(lambda agent: agent.say(wire.RETURN, [[], False, False])), "RETURN.*nothing back, unasked"
    ),
    "launching": Row(keeps(lambda agent: agent.say(wire.LAUNCHED, [1, 0]), 0.6), NOTHING_NEW),
    "fails-again": Row(care(wire.FAILED, lambda agent: failed(agent.care[0], agent.me)), NOTHING_NEW),
    "is-up-again": Row(care(wire.UP, lambda agent: up(agent.care[0], agent.me)), NOTHING_NEW),
}


ROWS: dict[str, Row] = {
    "quiet": Row(lambda _: None, ""),
    **words_for_others(),
    **{name: row for kind in BODIES for name, row in nonsense(kind).items()},
    **not_its_business(),
    **FRAMES,
    **{"flood-" + name: row for name, row in FLOODS.items()},
    **{name: row for name, (row, _) in (*VISITS.items(), *ORPHANS.items())},
    **{"care-" + name: row for name, row in CARE.items()},
    **{"keeps-" + name: row for name, row in STANDSTILL.items()},
    **{name: Row(act, "") for name, act in TAKERS.items()},
    "stays": Row(lambda agent: agent.deaf.add(wire.STOP), ""),
    "done-at-once": Row(each_share(lambda agent: agent.say(wire.DONE, b"%d" % agent.shares)), ""),
}
