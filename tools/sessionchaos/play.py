"""Plays what a seed has chosen on a real session, and has it judged."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from time import monotonic, sleep
from typing import Any

from sessionchaos import plan
from sessionchaos.judge import Seen, World, judge_call, judge_job, judge_nodes
from sessionchaos.plan import Call, Harm, Job, Round
from sessionchaos.site import Process, Site
from tests.support.waiting import until

BOUND = 25.0  # seconds from the last thing that is done in a round, in which all its clients have to end
SETTLED = 20.0  # seconds until `nodes` tells of all harm
GONE = 10.0  # seconds until nothing is left of a job that has ended, or of a session


class Violation(AssertionError):
    """Something that must hold does not."""


class Client:
    """A command of mpboot's that runs, or has ended."""

    def __init__(self, site: Site, name: str, words: list[str]) -> None:
        self.words = words
        self.sent = 0  # the signal that it has got
        self._site, self._name = site, name
        self.process: subprocess.Popen[Any] = site.start(name, words)

    @property
    def out(self) -> bytes:
        """What it has shown."""
        return (self._site.clients / f"{self._name}.out").read_bytes()

    def signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.process.poll() is None:
            self.sent = number if number != signal.SIGCONT else self.sent
            self._site.signal_client(self.process, self._name, number)

    def seen(self, seconds: float) -> Seen:
        """All that it has shown when it has ended; it has so many seconds for that."""
        try:
            code: int | None = self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            code = None
        where = self._site.clients
        report = where / f"{self._name}.json"
        files = {one.name: one.read_bytes() for one in (where / f"{self._name}.d").glob("*")}
        err = (where / f"{self._name}.err").read_text(errors="replace")
        return Seen(code, self.out, err, report.read_text() if report.exists() else None, files, self.sent)


class Game:
    """One session, from its boot to its end."""

    def __init__(self, site: Site, seed: int, rounds: int) -> None:
        """``rounds``: those before the last, in which the session ends."""
        self._site = site
        self._seed = seed
        self._rounds = rounds
        self._since = monotonic()
        self.log: list[str] = []  # what has been done, for whoever looks into what went wrong
        self._counts = {"jobs": 0, "calls": 0, "harms": 0}

    def play(self) -> str:
        """The whole of it; a line that tells of it. Violation, with all that was done."""
        try:
            return self._play()
        except (AssertionError, OSError, ValueError, LookupError, subprocess.TimeoutExpired) as error:
            raise Violation("\n".join([f"{type(error).__name__}: {error}", *self.log])) from error

    def _play(self) -> str:
        begun = plan.beginning(self._dice(0), self._site.names)
        self._say(f"{len(begun.hosts)} hosts {' '.join(begun.options)}")
        self._site.begin(begun.hosts, begun.options)
        for number in range(1, self._rounds + 1):
            nodes = self._nodes()
            self._round(
                plan.next_round(self._dice(number), begun, nodes, f"s{self._seed}r{number}"), nodes, begun.rejoin
            )
        nodes = self._nodes()
        last = plan.last_round(self._dice(-1), begun, nodes, f"s{self._seed}r{self._rounds + 1}")
        self._round(last, nodes, begun.rejoin)
        counts = "  ".join(f"{count:2} {what}" for what, count in self._counts.items())
        return f"{len(begun.hosts):2} hosts {' '.join(begun.options):35} {counts}  {last.end}"

    def _dice(self, number: int) -> random.Random:
        """Those of one round: what a round has met does not change what the next ones do."""
        return random.Random(f"{self._seed} {number}")

    def _say(self, line: str) -> None:
        self.log.append(line)

    def _nodes(self) -> dict[str, dict[str, Any]]:
        done = self._site.ask("nodes", "--json", "-")
        assert done.returncode in (0, 1), f"nodes: exit code {done.returncode}: {done.stderr}"
        return dict(json.loads(done.stdout)["hosts"])

    # -- one round ---------------------------------------------------------------------------------

    def _round(self, told: Round, nodes: dict[str, dict[str, Any]], rejoin: bool) -> None:
        hosts = (f"{host} {node['state']} {node.get('parent', '')}".strip() for host, node in nodes.items())
        self._say(f"-- {monotonic() - self._since:.1f} s: {', '.join(hosts)}")
        for line in told.told():
            self._say(line)
        for what, count in (("jobs", len(told.jobs)), ("calls", len(told.calls)), ("harms", len(told.harms))):
            self._counts[what] += count
        self._begin = monotonic()
        self._killed: set[str] = set()
        self._clients: dict[str, Client] = {}
        self._asked: dict[int, Client] = {}
        todo: list[tuple[float, Callable[[], object]]] = []
        todo += [(job.when, partial(self._exec, job)) for job in told.jobs]
        todo += [(call.when, partial(self._call, at, call)) for at, call in enumerate(told.calls)]
        for harm in told.harms:
            todo.append((harm.when, partial(self._harm, harm, harm.number)))
            if harm.seconds:
                todo.append((harm.when + harm.seconds, partial(self._harm, harm, harm.then)))
        if told.end:
            todo.append((told.when, partial(self._end, told.end)))
        self._victims: dict[Harm, Process | None] = {}
        for when, action in sorted(todo, key=lambda one: one[0]):
            sleep(max(0.0, self._begin + when - monotonic()))
            action()
        self._judge(told, nodes, rejoin)

    def _exec(self, job: Job) -> None:
        if job.kind == "fed":
            (self._site.clients / f"{job.token}.in").write_bytes(job.input())
        self._clients[job.token] = Client(self._site, job.token, job.words(str(self._site.clients)))

    def _call(self, at: int, call: Call) -> None:
        words = [call.what]
        if call.what == "kill":
            number = self._clients[call.token].out.decode().strip()
            if not number:  # it has not begun
                return
            words.append(number)
        words += {"grow": ["--hosts", ",".join(call.hosts)], "shrink": ["-w", ",".join(call.hosts)]}.get(call.what, [])
        self._asked[at] = self._clients[call.name or f"call{at}"] = Client(self._site, f"call{self._begin}-{at}", words)

    def _harm(self, harm: Harm, number: int) -> None:
        if harm.what == "client":
            if harm.token in self._clients:
                self._clients[harm.token].signal(number)
            return
        if harm not in self._victims:
            self._victims[harm] = self._victim(harm)
        victim = self._victims[harm]
        if victim is not None and victim in self._site.processes():
            self._say(f"   {monotonic() - self._begin:.2f} {signal.Signals(number).name} of {harm.what} {harm.host}")
            if harm.what == "agent" and number == signal.SIGKILL:
                self._killed.add(harm.host)
            self._site.signal(victim, number)

    def _victim(self, harm: Harm) -> Process | None:
        if harm.what == "daemon":
            return self._site.daemon()
        agent = self._site.agent(harm.host, harm.pid)
        return self._site.guard(agent) if harm.what == "guard" else agent

    def _end(self, end: str) -> None:
        self._say(f"   {monotonic() - self._begin:.2f} {end}")
        if end.startswith("halt"):
            self._asked[-1] = Client(self._site, "halt", ["halt"])
            return
        daemon = self._site.daemon()
        assert daemon is not None, "no daemon is there to be killed"
        self._site.signal(daemon if end == "kill-daemon" else self._site.below(daemon)[0], signal.SIGKILL)

    # -- what came of it ---------------------------------------------------------------------------

    def _judge(self, told: Round, nodes: dict[str, dict[str, Any]], rejoin: bool) -> None:
        end = monotonic() + BOUND
        seen = {job.token: self._clients[job.token].seen(end - monotonic()) for job in told.jobs}
        asked = {at: client.seen(end - monotonic()) for at, client in self._asked.items()}
        by_what = {what: frozenset(host for call in told.calls if call.what == what for host in call.hosts)
                   for what in ("grow", "shrink")}  # fmt: skip
        world = World(
            frozenset(host for host, node in nodes.items() if node["state"] != "up"), frozenset(self._killed),
            by_what["shrink"], by_what["grow"], rejoin, bool(told.end),
        )  # fmt: skip
        wrong = []
        for job in told.jobs:
            for one in judge_job(job, seen[job.token], world):
                wrong.append(
                    f"WRONG {job}: {one}\n  exit {seen[job.token].code}, stderr: {seen[job.token].err[-1500:]}"
                )
        for at, got in asked.items():
            call = told.calls[at] if at >= 0 else Call(told.when, "halt")
            wrong += [f"WRONG {call}: {one}" for one in judge_call(call, got, world)]
        assert not wrong, "\n".join(wrong)
        variables = {job.token: f"{plan.TOKEN}={job.token}" for job in told.jobs}
        until(lambda: not self._left(variables), GONE, lambda: f"left of jobs: {self._left(variables)}")
        if told.end:
            self._judge_end(told.end)
            return
        killed = {told.calls[at].token for at, got in asked.items() if told.calls[at].what == "kill" and not got.code}
        refused = {token for token, got in seen.items() if got.code}
        self._judge_detached(told, killed | refused, world)
        for at, got in asked.items():
            if told.calls[at].hosts and got.code not in (0, 1):  # it was refused, or its client was ended
                world = world._replace(unsure=world.unsure | set(told.calls[at].hosts))
        self._judge_nodes(nodes, world)

    def _left(self, variables: dict[str, str]) -> dict[str, dict[int, str]]:
        """What runs of jobs, by their tokens."""
        found = {token: self._site.of_job(variable) for token, variable in variables.items()}
        return {token: processes for token, processes in found.items() if processes}

    def _judge_detached(self, told: Round, but: set[str], world: World) -> None:
        until(lambda: self._site.ask("jobs").stdout == "", GONE, lambda: f"jobs: {self._site.ask('jobs').stdout}")
        for job in told.jobs:
            if job.kind == "detached" and job.token not in but:
                for host in set(job.hosts) - world.down - world.killed - world.shrunk:
                    file = self._site.clients / f"{job.token}.{host}"
                    assert file.exists(), f"{job} has not come to its end on {host}"
                    assert file.read_bytes() == job.output(host)

    def _judge_nodes(self, before: dict[str, dict[str, Any]], world: World) -> None:
        first = [one for one in judge_nodes(self._nodes(), before, world) if "nobody has harmed it" in one]
        assert not first, "\n".join(first)

        def settled() -> bool:
            nodes = self._nodes()
            states = {node["state"] for node in nodes.values()}
            up = states <= ({"up"} if world.rejoin else {"up", "lost", "failed"})
            return not judge_nodes(nodes, before, world) and up

        until(settled, SETTLED, lambda: f"nodes: {judge_nodes(self._nodes(), before, world)} {self._nodes()}")

    def _judge_end(self, end: str) -> None:
        """Nothing is left."""
        until(lambda: not self._site.processes(), GONE, lambda: f"left: {self._site.processes()}")
        done = self._site.ask("sessions")  # which clears away what a daemon that was killed has left
        said = done.stderr.startswith("mpboot: no session is kept: ")
        assert (done.returncode, done.stdout, said) == (0, "", True), f"sessions: {done}"
        # What a session says that has lost its root stays until another has its name.
        left = [one for one in self._site.files() if not one.endswith(".crashed") or end != "kill-root"]
        assert not left, f"left: {left}"
