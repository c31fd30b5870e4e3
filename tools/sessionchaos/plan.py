"""What is done to a session, by a random generator alone: jobs, other commands, harm, and the end."""

from __future__ import annotations

import hashlib
import random
import signal
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Nodes = Mapping[str, Mapping[str, Any]]  # what `nodes --json` says of each host

TOKEN = "CHAOS_JOB"  # a variable by which all processes of a job are known
LIMIT = 1.0  # seconds of --command-timeout
LINES = 20_000  # of a command that writes much
MOST_STOPPED = 4.0  # seconds: nobody is lost for that
ROUNDS = 3
KINDS = ("quick", "quick", "long", "long", "much", "fed", "signal", "limited", "endless", "detached")
ENDS = (
    "halt",
    "halt-under-jobs",
    "halt-under-growth",
    "halt-with-a-stopped-agent",
    "kill-daemon",
    "kill-daemon",
    "kill-root",
)
LAST = "n=${MPBOOT_HOST#${MPBOOT_HOST%?}}"  # the last figure of the host's name


class Harm(NamedTuple):
    """Something that is done to a process at a moment of a round. A stopped one goes on after ``seconds``, or dies."""

    when: float
    what: str  # agent, guard, daemon, client
    number: int
    host: str = ""
    pid: int = 0
    seconds: float = 0.0
    token: str = ""  # the client's job, or what else it is called
    then: int = signal.SIGCONT

    def __str__(self) -> str:
        name = signal.Signals(self.number).name[3:]
        about = self.host or self.token
        rest = f" for {self.seconds:.1f} s, then {signal.Signals(self.then).name[3:]}" if self.seconds else ""
        return f"{self.when:.2f} {name} {self.what}{f' {about}' if about else ''}{rest}"


class Job(NamedTuple):
    """An exec. ``way``: plain, gathered, files (how its output is shown)."""

    token: str
    when: float
    kind: str
    way: str
    hosts: tuple[str, ...]  # those that it runs on
    all: bool  # they are all of the session, and it is begun without -w
    number: int  # of the signal that ends it, where it is one that a signal ends
    barrier: bool = False  # it runs only if all are up

    def __str__(self) -> str:
        rest = " with a barrier" if self.barrier else ""
        return f"{self.when:.2f} exec {self.token} {self.kind} {self.way} on {len(self.hosts)}{rest}"

    @property
    def script(self) -> str:
        """What each host's shell runs."""
        return {
            "quick": f"echo {self.token} $MPBOOT_HOST; echo {self.token} error >&2; {LAST}; exit $((n % 3 * 5))",
            "long": f"for i in 1 2 3 4 5 6 7 8; do echo {self.token} $MPBOOT_HOST $i; sleep 0.25; done; {LAST}; "
            "exit $((n % 3 * 5))",
            "much": f'seq -f "{self.token} $MPBOOT_HOST %.0f" 1 {LINES}; {LAST}; exit $((n % 3 * 5))',
            "fed": "sha256sum",
            "signal": f"echo {self.token}; {LAST}; test $((n % 2)) = 0 && kill -{self.number} $$; exit 1",
            "limited": f"echo {self.token}; sleep 300 & sleep 300",
            "endless": f"echo {self.token}; trap '' TERM; sleep 300 & sleep 300; sleep 300",
            "detached": f'sleep 1; echo {self.token} >"$CHAOS_DIR/{self.token}.$MPBOOT_HOST"',
        }[self.kind]

    def words(self, directory: str) -> list[str]:
        """The command's arguments; ``directory`` is where its files go."""
        words = ["exec", "--env", f"{TOKEN}={self.token}", "--env", f"CHAOS_DIR={directory}"]
        words += [] if self.all else ["-w", ",".join(self.hosts)]
        words += {"gathered": ["-b"], "files": ["--output-dir", f"{directory}/{self.token}.d"]}.get(self.way, [])
        words += {"limited": ["--command-timeout", str(LIMIT)], "detached": ["--detach"]}.get(self.kind, [])
        words += ["--stdin", f"{directory}/{self.token}.in"] if self.kind == "fed" else []
        words += ["--barrier"] if self.barrier else []
        words += [] if self.kind == "detached" else ["--json", f"{directory}/{self.token}.json"]
        return [*words, "--", "sh", "-c", self.script]

    def input(self) -> bytes:
        """What it reads."""
        return random.Random(self.token).randbytes(3_000_000) if self.kind == "fed" else b""

    def output(self, host: str) -> bytes:
        """All that it writes to its standard output there."""
        head = f"{self.token} {host}"
        if self.kind == "fed":
            return f"{hashlib.sha256(self.input()).hexdigest()}  -\n".encode()
        if self.kind in ("long", "much"):
            return "".join(f"{head} {at}\n" for at in range(1, 9 if self.kind == "long" else LINES + 1)).encode()
        return f"{head if self.kind == 'quick' else self.token}\n".encode()

    def code(self, host: str) -> int:
        """How it ends there, if nothing happens to it."""
        last = int(host[-1])
        if self.kind == "signal":
            return 1 if last % 2 else 128 + self.number
        return {"fed": 0, "limited": 124, "endless": -1, "detached": 0}.get(self.kind, last % 3 * 5)


class Call(NamedTuple):
    """Another command of mpboot's: nodes, jobs, sessions, grow, shrink, kill."""

    when: float
    what: str
    hosts: tuple[str, ...] = ()
    token: str = ""  # the job that is killed
    name: str = ""  # of its own, in a round where it is harmed

    def __str__(self) -> str:
        return " ".join((f"{self.when:.2f}", self.what, *(one for one in (",".join(self.hosts), self.token) if one)))


class Round(NamedTuple):
    """What is done at a time; when all of it has ended it is judged."""

    jobs: list[Job]
    calls: list[Call]
    harms: list[Harm]
    end: str = ""  # how the session is ended meanwhile, in the last of them
    when: float = 0.0  # when it is

    def told(self) -> list[str]:
        """A line for each thing, in their order."""
        timed = [(job.when, str(job)) for job in self.jobs]
        timed += [(call.when, str(call)) for call in self.calls]
        timed += [(harm.when, str(harm)) for harm in self.harms]
        timed += [(self.when, f"{self.when:.2f} {self.end}")] if self.end else []
        return [text for _, text in sorted(timed)]


class Beginning(NamedTuple):
    """How the session is begun."""

    hosts: tuple[str, ...]
    spare: tuple[str, ...]  # those that may be grown
    options: tuple[str, ...]

    @property
    def rejoin(self) -> bool:
        """Are lost hosts tried again?"""
        return "--rejoin" in self.options


def beginning(dice: random.Random, names: list[str]) -> Beginning:
    """Of these hosts a session is begun with some."""
    count = dice.randint(4, len(names) - 3)
    options = dice.choice((("--topology", "tree", "--children", "2"), ("--topology", "tree", "--children", "3"), ()))
    rejoin = ("--rejoin",) if dice.random() < 0.3 else ()
    return Beginning(tuple(names[:count]), tuple(names[count:]), (*options, *rejoin))


def next_round(dice: random.Random, begun: Beginning, nodes: Nodes, name: str) -> Round:
    """One round in the life of a session whose hosts are ``nodes`` now; ``name`` tells its jobs from other rounds'."""
    jobs = _jobs(dice, nodes, name, dice.randint(1, 4))
    harms = [harm for job in jobs for harm in _client_harm(dice, job)]
    shrunk: tuple[str, ...] = ()
    calls = [Call(dice.uniform(0, 2), dice.choice(("nodes", "jobs", "sessions")))]
    up = [host for host, node in nodes.items() if node["state"] == "up"]
    luck = dice.random()
    if luck < 0.25:
        calls += _growth(dice, begun, nodes)
    elif luck < 0.45 and len(up) > 3:
        lost = [host for host, node in nodes.items() if node["state"] == "lost"]
        shrunk = tuple(dice.sample(up, dice.randint(1, 2)) + lost[: dice.randint(0, 1)])
        calls.append(Call(dice.uniform(0, 1.5), "shrink", shrunk, name="shrink"))
    for call in calls[1:]:
        if dice.random() < 0.2:
            number = dice.choice((signal.SIGKILL, signal.SIGINT))
            harms.append(Harm(call.when + dice.uniform(0.2, 1.0), "client", number, token=call.name))
    calls += [Call(job.when + dice.uniform(0.7, 2.0), "kill", token=job.token) for job in jobs
              if job.kind == "detached" and dice.random() < 0.5]  # fmt: skip
    harms += _agents_harmed(dice, nodes, [host for host in up if host not in shrunk])
    if dice.random() < 0.2:
        harms.append(Harm(dice.uniform(0, 2), "daemon", signal.SIGSTOP, seconds=dice.uniform(0.3, MOST_STOPPED)))
    return Round(jobs, calls, harms)


def last_round(dice: random.Random, begun: Beginning, nodes: Nodes, name: str) -> Round:
    """The session's end."""
    end = dice.choice(ENDS)
    up = [host for host, node in nodes.items() if node["state"] == "up"]
    harms = []
    if end == "halt-with-a-stopped-agent" and up:
        victim = dice.choice(up)
        harms = [Harm(0.0, "agent", signal.SIGSTOP, victim, nodes[victim]["pid"], dice.uniform(0.5, MOST_STOPPED))]
    count = 0 if end == "halt" else dice.randint(0 if "kill" in end else 1, 3)
    calls = _growth(dice, begun, nodes) if end == "halt-under-growth" else []
    return Round(_jobs(dice, nodes, name, count), calls, harms, end, dice.uniform(0.2, 2.0))


def _growth(dice: random.Random, begun: Beginning, nodes: Nodes) -> list[Call]:
    down = [host for host, node in nodes.items() if node["state"] != "up"]
    fresh = [host for host in begun.spare if host not in nodes]
    wanted = (*down, *dice.sample(fresh, min(len(fresh), dice.randint(1, 2))))
    return [Call(dice.uniform(0, 1.5), "grow", wanted, name="grow")] if wanted else []


def inner(nodes: Nodes) -> list[str]:
    """The hosts that have others below them."""
    parents = {node.get("parent") for node in nodes.values()}
    return [host for host in nodes if host in parents]


def _jobs(dice: random.Random, nodes: Nodes, name: str, count: int) -> list[Job]:
    found = []
    for number in range(count):
        kind = dice.choice(KINDS)
        up = [host for host, node in nodes.items() if node["state"] == "up"]
        every = dice.random() < 0.6 or len(up) < 2
        hosts = tuple(nodes) if every else tuple(dice.sample(up, dice.randint(1, len(up))))
        way = "plain" if kind in ("detached", "endless") else dice.choice(("plain", "plain", "gathered", "files"))
        fatal = dice.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1))
        barrier = kind == "quick" and dice.random() < 0.3
        found.append(Job(f"{name}j{number}", dice.uniform(0, 1), kind, way, hosts, every, fatal, barrier))
    return found


def _client_harm(dice: random.Random, job: Job) -> Iterable[Harm]:
    when = job.when + dice.uniform(0.0, 2.5)
    if job.kind == "endless":  # it has no other end
        ending = dice.choice((signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        yield Harm(when, "client", ending, token=job.token)
    elif job.kind != "detached" and dice.random() < 0.3:
        number = dice.choice((signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGSTOP, signal.SIGUSR1))
        seconds = dice.uniform(0.3, MOST_STOPPED) if number == signal.SIGSTOP else 0.0
        yield Harm(when, "client", number, seconds=seconds, token=job.token)


def below(nodes: Nodes, host: str) -> list[str]:
    """A host and all that are below it."""
    children = [one for one, node in nodes.items() if node.get("parent") == host]
    return [host, *(each for child in children for each in below(nodes, child))]


def _agents_harmed(dice: random.Random, nodes: Nodes, up: list[str]) -> list[Harm]:
    """Up to two agents are harmed, or their guards, or a whole subtree; half of the time one with others below it."""
    found: dict[str, Harm] = {}
    above = [host for host in inner(nodes) if host in up]
    if above and dice.random() < 0.15:
        tree = below(nodes, dice.choice(above))
        when = dice.uniform(0, 2.5)
        if set(tree) < set(up):
            return [Harm(when, "agent", signal.SIGKILL, host, nodes[host]["pid"]) for host in tree]
    for _ in range(dice.choice((0, 1, 1, 2))):
        victims = above if above and dice.random() < 0.5 else up
        if len(up) <= 2:
            break
        host = dice.choice(victims)
        what = dice.choice(("agent", "agent", "agent", "guard"))
        number = dice.choice((signal.SIGKILL, signal.SIGSTOP))
        seconds = dice.uniform(0.3, MOST_STOPPED) if number == signal.SIGSTOP else 0.0
        then = signal.SIGKILL if seconds and what == "agent" and dice.random() < 0.25 else signal.SIGCONT
        found[host] = Harm(dice.uniform(0, 2.5), what, number, host, nodes[host]["pid"], seconds, then=then)
    return list(found.values())
