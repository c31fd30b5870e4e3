"""What hostile hosts do with logins that ride, a row each: the name of a row is that of a host that does so."""

from __future__ import annotations

from typing import Callable, NamedTuple

from mpboot.net import wire
from mpboot.net.jobs import STDIN_WINDOW, Run, packed
from mpboot.net.login import ABOUT
from mpboot.net.outlet import WINDOW, pack_out
from tests.support.hostile_agent import Agent

TRUE = "liar 22 0"  # what it says of itself, where it does not lie in that
SAID = b"said by a hostile host\n"
MINE = 3  # the first job of a session's is 2, which asks hosts who they are; the next is that of the first ssh


class Lie(NamedTuple):
    """What a host says of itself, or None: nothing; what it does with a login after that; what its parent says then."""

    about: str | None
    serve: Callable[[Agent, int], None]
    said: str = ""

    def act(self, agent: Agent) -> None:
        """Do so with each login that comes."""
        while True:
            body = agent.hear(wire.RUN, 600.0)
            if not body:
                return
            run = Run.unpack(body)
            if not run.login or run.argv[0] != ABOUT:
                self.serve(agent, run.job)
            elif self.about is not None:
                end(agent, run.job, sent=out(agent, run.job, self.about.encode()))


def out(agent: Agent, job: int, text: bytes = SAID, stream: int = 1, rank: int | None = None) -> int:
    """Say OUT; the bytes of text."""
    agent.say(wire.OUT, pack_out(agent.me if rank is None else rank, job, stream, text))
    return len(text)


def end(agent: Agent, job: int, code: object = 0, sent: object = 0, signal: object = 0, seconds: object = 0.1) -> None:
    """Say EXIT."""
    agent.say(wire.EXIT, [[agent.me, job, code, signal, seconds, sent]])


def well(agent: Agent, job: int) -> None:
    """As a good one does."""
    end(agent, job, sent=out(agent, job))


def after(agent: Agent, job: int) -> None:
    """Output after the end."""
    well(agent, job)
    out(agent, job)


def twice(agent: Agent, job: int) -> None:
    """The end twice, and not the same."""
    well(agent, job)
    end(agent, job, 7)
    well(agent, MINE)


def other(agent: Agent, job: int) -> None:
    """Output, and the end, of the job that runs on another host."""
    del job
    out(agent, MINE)
    end(agent, MINE, 9)


def beyond(agent: Agent, job: int) -> None:
    """More output than there is credit for."""
    for _ in range(64 * (WINDOW >> 14)):
        out(agent, job, bytes(1 << 14))


def endless(agent: Agent, job: int) -> None:
    """Output without end, within credit; no signal is heeded."""
    left = WINDOW
    while True:
        while left > 0:
            left -= out(agent, job, b"y\n" * 2000) + 9
        left += int(agent.hear(wire.CREDIT) or b"0")


def of(job: int | None = None, stream: int = 1, rank: int | None = None) -> Callable[[Agent, int], None]:
    """Say OUT of a job, this one or another."""

    def say(agent: Agent, mine: int) -> None:
        out(agent, mine if job is None else job, SAID, stream, rank)

    return say


def code(value: object, **more: object) -> Callable[[Agent, int], None]:
    """End with this."""
    return lambda agent, job: end(agent, job, value, **more)


def taken(count: int) -> Callable[[Agent, int], None]:
    """Say that so much of the input is taken."""
    return lambda agent, job: agent.say(wire.TAKEN, packed(job) + packed(count))


NONSENSE = r"sent nonsense \({}"
EXIT, OUT = NONSENSE.format("EXIT"), NONSENSE.format("OUT")
ABOUTS = {  # what it says of itself, and so does not get a socket
    "none": "",
    "long": "x" * 30_000,
    "words": "liar 22",
    "more": "liar 22 0 0",
    "path": "../../liar 22 0",
    "dash": "-liar 22 0",
    "zero": "liar 0 0",
    "huge": "liar 99999 0",
    "digits": "liar \u0662\u0662 0",
    "percent": "%r 22 0",
    "lines": "liar\n22\n1",
    "nul": "li\0ar 22 0",
}
RIDES = {
    **{f"about-{name}": Lie(text, well) for name, text in ABOUTS.items()},
    "about-never": Lie(None, well),
    "well": Lie(TRUE, well),
    "other": Lie(TRUE, other, f"{OUT}.*no such command runs"),
    "unknown": Lie(TRUE, of(4711), f"{OUT}.*no such command runs"),
    "largest": Lie(TRUE, of((1 << 32) - 1), f"{OUT}.*no such command runs"),
    "stream": Lie(TRUE, of(stream=3), f"{OUT}.*no such stream"),
    "sibling": Lie(TRUE, of(rank=0), f"{OUT}.*not given"),
    "after": Lie(TRUE, after, f"{OUT}.*has ended"),
    "twice": Lie(TRUE, twice, f"{OUT}.*no such command runs"),
    "beyond": Lie(TRUE, beyond, f"{OUT}.*credit"),
    "negative": Lie(TRUE, code(-1), EXIT),
    "large": Lie(TRUE, code(256), EXIT),
    "text": Lie(TRUE, code("0"), EXIT),
    "signal": Lie(TRUE, code(0, signal=65), EXIT),
    "seconds": Lie(TRUE, code(0, seconds=float("nan")), EXIT),
    "sent": Lie(TRUE, code(0, sent=-1), EXIT),
    "taken": Lie(TRUE, taken(STDIN_WINDOW), NONSENSE.format("TAKEN")),
    "takes-much": Lie(TRUE, taken((1 << 32) - 1), NONSENSE.format("TAKEN")),
    # What harms nobody but who rides there.
    "missing": Lie(TRUE, code(0, sent=1 << 59)),
    "silent": Lie(TRUE, lambda _agent, _job: None),
    "endless": Lie(TRUE, endless),
}
