"""The part of an agent that launches others: the accept socket, the children, the pool, and BootState's orders.

What to do is decided in tree/state.py; here it is done, and what comes of it is told to the state and upward.
"""

from __future__ import annotations

import json
import os
import socket
from time import monotonic

from mpboot.node import wire
from mpboot.node.address import listen, own_addresses
from mpboot.node.link import Link
from mpboot.node.loop import READ
from mpboot.node.outlet import Credits
from mpboot.node.pace import WAIT, Pace, room_for_children
from mpboot.node.supply import PsutilSupply
from mpboot.tree import causes, state
from mpboot.tree.policy import Policy
from mpboot.workers import watch
from mpboot.workers.diagnosis import BUSY_TRIES, is_busy
from mpboot.workers.launch import Settings, Verdict
from mpboot.workers.pool import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set

    from mpboot.node.agent import Agent

BACKLOG = 1024
VISITORS = 256  # connections that have not proved the secret yet, at most
VISIT = 5.0  # seconds that each may take to do so
STARVED = 20  # times that a node without a single worker tries again to start one
BREATH = 0.5  # seconds in between
LOOK = 0.7  # seconds that the watcher may take to look at the launches under way
SAY_SOMETHING = 5.0  # seconds in which an agent that let go of rsh must have said HELLO


class Attempt:
    """A launch under way."""

    __slots__ = ("id", "queued", "rank", "timer")

    def __init__(self, number: int, rank: int) -> None:
        self.id = number
        self.rank = rank
        self.queued = monotonic()
        self.timer: Any = None


class Offspring:
    """A child: its link and what is owed to it."""

    __slots__ = ("codes", "credits", "link", "pid", "rank")

    def __init__(self, rank: int, link: Link, pid: int) -> None:
        self.rank = rank
        self.link = link
        self.pid = pid
        self.credits = Credits(link)
        self.codes: Set[str] = set()


class Parent:
    """Boots what its agent is given. Made with the first share."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.loop = agent.loop
        self.children: Dict[int, Offspring] = {}
        self.state: Optional[state.BootState] = None
        self._hosts: Dict[int, List[Any]] = {}  # rank -> [rank, label, name, user, port, attempts, here]
        self._attempts: Dict[int, Attempt] = {}  # by launch
        self._current: Dict[int, int] = {}  # rank -> launch
        self._launches = 0
        self._failures: Dict[int, Verdict] = {}
        self._visitors: Set[Link] = set()
        self._slowest = 0.0
        self._pace: Optional[Pace] = None
        self._pacing = False
        self._starved = 0
        self._disabled = False
        self._first_launch = 0.0
        self._late_timer: Any = None
        self._news: Dict[int, List[Any]] = {wire.UP: [], wire.FAILED: []}
        self._told: Dict[int, Dict[int, Any]] = {wire.UP: {}, wire.FAILED: {}}  # everything, for an adopter
        self._numbers = {"launched": 0, "strangers": 0}
        self._news_due = False
        self._telling: Any = None  # the timer of an answer to TELL that is due

    # -- from above --------------------------------------------------------------------------------

    def take_share(self, share: Dict[str, Any]) -> None:
        """More hosts to boot; the first share brings the boot's settings with it."""
        if self.state is None:
            self._open(share)
        assert self.state is not None
        for host in share["hosts"]:
            self._hosts[host[0]] = host
        ranks = [host[0] for host in share["hosts"]]
        self._do(self.state.add(ranks, {host[0]: host[5] for host in share["hosts"]}))

    def take_psutil(self, body: bytes) -> None:
        """The answer to our WANT."""
        self._psutil.take(body)

    def note(self, what: str, text: str) -> None:
        """Tell upward what this node can't do, or does otherwise; once, for the report."""
        self.agent.uplink.send(wire.NOTE, json.dumps([self.agent.rank, what, text]).encode())

    def reclaim(self, count: int) -> None:
        """The parent is idle and asks for hosts back."""
        if self.state is not None:
            self._do(self.state.reclaim(count))

    def tell_children(self, kind: int, body: bytes = b"") -> None:
        """Send a message to every child."""
        for child in self.children.values():
            child.link.send(kind, body)

    def pass_run_on(self) -> None:
        """The order to run a command has come: the children get it too."""
        for child in self.children.values():
            self._send_run(child)

    def stop(self, number: int) -> None:
        """Stop launching and end the children."""
        for visitor in list(self._visitors):
            visitor.close()
        self._visitors.clear()
        self.tell_children(wire.STOP, b"%d" % number)
        if self.state is not None:
            self.state.stop(causes.INTERRUPTED)
            for listener in self._listeners:
                self.loop.forget(listener.fileno())
                listener.close()
            # The children must hear of the end before this node waits for its workers.
            self.loop.soon(self._pool.stop)

    def beat(self) -> None:
        """A heartbeat: ask the children whether they live, give up those that are silent."""
        now = monotonic()
        for child in list(self.children.values()):
            if now - child.link.heard > self.agent.config["silence"]:
                child.link.fail("silent for %.0f s" % (now - child.link.heard))
            else:
                child.link.send(wire.PING)

    def tell_launches(self) -> None:
        """Tell upward which launches are under way, and have the parents below do so."""
        if self._telling is not None:
            return
        parents = [child for child in self.children.values() if "parent" in child.codes]
        for child in parents:
            child.link.send(wire.TELL)
        # Whoever gathers the answers must know how many there will be before the first of them comes.
        self._tell_of([], len(parents) + 1)
        self._telling = self.loop.later(LOOK, lambda: self._launches_seen([]))
        if self.state is None or not self._current or not self._pool.ask():
            self._launches_seen([])

    def family(self) -> Dict[str, Any]:
        """What an adopting ancestor has to know: who is up below, and who is not finished."""
        assert self.state is not None
        below, left, failed = self.state.new_parent()
        return {"below": below, "left": left, "failed": [self._told[wire.FAILED][rank] for rank in failed]}

    def report_again(self) -> None:
        """To a new parent: all that was told to the old one, which may have died with it."""
        for kind, told in self._told.items():
            self._news[kind] = list(told.values())
        self._tell_soon()

    def _launches_seen(self, seen: List[Dict[str, Any]]) -> None:
        """``seen``: what the watcher says of some of them; without psutil nobody does."""
        if self._telling is None or self.agent.stopping:
            return
        self._telling.cancel()
        self._telling = None
        known = {record["host"]: record for record in seen}
        launches = []
        for rank, launch in self._current.items():
            assert self.state is not None
            label = self._hosts[rank][1]
            seconds = round(monotonic() - self._attempts[launch].queued, 1)
            base = {"host": label, "from": self.agent.rank, "attempt": self.state.attempts[rank]}
            launches.append(dict(known.get(label, {}), seconds=seconds, **base))
        self._tell_of(launches, 0)

    def _tell_of(self, launches: List[Dict[str, Any]], to_come: int) -> None:
        body = {"launches": launches, "to_come": to_come}
        self.agent.uplink.send(wire.TOLD, json.dumps(body, separators=(",", ":")).encode())

    # -- the course of things ----------------------------------------------------------------------

    def _open(self, share: Dict[str, Any]) -> None:
        boot = share["boot"]
        agent = self.agent
        config = agent.config
        self._boot = boot
        self._level: int = share["level"]
        self._start = monotonic() - share["clock"]
        if agent.is_root:
            watch.search += boot["psutil"]
        policy = Policy(boot["topology"], boot["children"])
        if policy.adaptive:
            policy.fanout = room_for_children(policy.width)
            self._pace = Pace(boot["children"])
        relaunch = not boot["command"]
        self.state = state.BootState(policy, boot["retries"], agent.is_root, relaunch, config["shares"])
        self._listeners = listen(BACKLOG)
        port = self._listeners[0].getsockname()[1]
        for listener in self._listeners:
            self.loop.watch(listener.fileno(), READ, lambda _, at=listener: self._accept(at))  # type: ignore[misc]
        route = (port, tuple(own_addresses()))
        routes = (route,) if agent.is_root else (route, *config["routes"])
        # Lists, since leaf.py writes them as JSON without json. A rank may be taken by a later agent: the pid tells.
        lineage = [[agent.rank, os.getpid()], *config["lineage"]]
        theirs = {
            "secret": config["secret"], "routes": routes, "lineage": lineage, "transport": boot["transport"],
            "attach": boot["attach"], "budget": boot["budget"], "silence": config["silence"], "fd": None,
            "trust_ssh": boot["rsh"] != "local",
        }  # fmt: skip
        settings = Settings(boot, config["kit"], theirs, port)
        self._pool = Pool(self.loop, settings, self._started, self._ended)
        self._psutil = PsutilSupply(self._pool, agent, self.note, boot["psutil"] if agent.is_root else [])
        self._pool.told = self._launches_seen

    def _do(self, orders: List[state.Order]) -> None:
        for order in orders:
            if isinstance(order, state.Launch):
                self._launch(order)
            elif isinstance(order, state.Share):
                self._send_share(order)
            elif isinstance(order, state.Kill):
                self._pool.cancel(self._current.pop(order.rank, -1))
            elif isinstance(order, state.Pause):
                self._pause(order)
            elif isinstance(order, state.Fail):
                self._fail(order)
            elif isinstance(order, state.Return):
                self._return(order)
            elif isinstance(order, state.Reclaim):
                if order.child in self.children:
                    self.children[order.child].link.send(wire.RECLAIM, b"%d" % order.count)
            elif isinstance(order, state.Done):
                self._tell()
                self.agent.uplink.send(wire.DONE, b"%d" % order.shares)

    def _pause(self, order: state.Pause) -> None:
        assert self.state is not None
        resume = self.state.resume
        self.loop.later(order.delay, lambda: self._do(resume(order.ranks)))

    def _launch(self, order: state.Launch) -> None:
        _, label, name, user, port, _, _ = self._hosts[order.rank]
        self._launches += 1
        self._first_launch = self._first_launch or monotonic()
        attempt = Attempt(self._launches, order.rank)
        self._attempts[attempt.id] = attempt
        self._log(attempt.id, "queued, attempt %d" % order.attempt)
        self._current[order.rank] = attempt.id
        self._numbers["launched"] += 1
        self._tell_soon()
        try:
            self._pool.submit((attempt.id, order.rank, name, user, port, label))
        except OSError as error:
            self._no_worker(attempt, error.strerror or str(error))
            return
        if self._pace is not None:
            self._pace_soon()

    def _no_worker(self, attempt: Attempt, why: str) -> None:
        """A limit of this machine is reached: go on when a launch has ended, or a little later."""
        assert self.state is not None
        if self._pool.busy or self._starved < STARVED:
            self._starved += 0 if self._pool.busy else 1
            self._attempts.pop(attempt.id)
            self._current.pop(attempt.rank)
            self._do(self.state.not_launched(attempt.rank))
            self.loop.later(BREATH, lambda: self._do(self.state.widen(1)) if self.state is not None else None)
        else:
            verdict = Verdict(causes.RSH_FAILED, "connect", "no worker can be started: " + why, [], "")
            self.loop.soon(lambda: self._ended(attempt.id, verdict))

    def _pace_soon(self) -> None:
        if not self._pacing:
            self._pacing = True
            self.loop.soon(self._widen)

    def _widen(self) -> None:
        """An adaptive node goes on launching for as long as its processors keep up."""
        assert self.state is not None
        assert self._pace is not None
        self._pacing = False
        if not self.state.counts[state.PENDING] or self._starved:
            return
        fresh = self.state.counts[state.LAUNCHING] - len(self.state.late)
        self.state.policy.fanout = room_for_children(fresh)
        width = self._pace.wider(fresh)
        elapsed = monotonic() - self._first_launch
        self.state.policy.pace = max(elapsed / max(1, self._launches), 0.002)
        if width > fresh:
            self._do(self.state.widen(width))
        if self.state.counts[state.PENDING] and not self._pacing and not self._pace.most:
            self._pacing = True
            self.loop.later(WAIT, self._widen)

    def _started(self, launch: int, pid: int) -> None:
        self._log(launch, "started, pid %d" % pid)

    def _ended(self, launch: int, verdict: Verdict) -> None:
        assert self.state is not None
        attempt = self._attempts.get(launch)
        if attempt is None:
            return
        rank = attempt.rank
        if self._boot["verbose"]:
            for name, when in verdict.states:
                if name != "started":  # that was told at once
                    self._log(launch, name, when)
        if self._current.get(rank) != launch or self.state.place.get(rank) != state.LAUNCHING:
            self._attempts.pop(launch)
            return
        if not verdict.cause:
            # The agent let go of rsh; its HELLO is on the way, or it died in between.
            lost = Verdict(causes.AGENT_CRASH, "callback", "the agent connected, then said nothing", [], verdict.stderr)
            if attempt.timer is None:
                attempt.timer = self.loop.later(SAY_SOMETHING, lambda: self._ended(launch, lost))
            return
        self._attempts.pop(launch)
        self._current.pop(rank)
        self._failures[rank] = verdict
        self._log(launch, "%s: %s: %s" % (self._hosts[rank][1], verdict.cause, verdict.detail))
        attempts = self.state.attempts[rank]
        busy = is_busy(verdict.cause, verdict.stderr) and attempts <= self._boot["retries"] + BUSY_TRIES
        starting = verdict.cause in causes.STARTING and monotonic() - self._start < self._boot["wait_for"]
        self._do(self.state.launch_failed(rank, verdict.cause, again=busy or starting))

    def _fail(self, order: state.Fail) -> None:
        assert self.state is not None
        verdict = self._failures.get(order.rank)
        if verdict is None or verdict.cause != order.cause:
            verdict = Verdict(order.cause, "", "", [], "")
        record = [order.rank, order.cause, verdict.phase, self.state.attempts[order.rank], self.agent.rank,
                  verdict.detail, verdict.stderr]  # fmt: skip
        self._news_of(wire.FAILED, record)

    def _return(self, order: state.Return) -> None:
        assert self.state is not None
        self._tell()
        if order.disabled and not self._disabled:
            self._disabled = True
            seen = [self._failures[rank] for rank in order.ranks if rank in self._failures]
            self.note("leaf", "%s: %s" % (seen[0].cause, seen[0].detail) if seen else "")
        body: Dict[str, Any] = {"tried": order.tried, "disabled": order.disabled, "hosts": {}}
        for rank in order.ranks:
            verdict = self._failures.get(rank)
            why = [verdict.cause, verdict.phase, verdict.detail, verdict.stderr] if verdict and order.tried else None
            body["hosts"][str(rank)] = [self.state.attempts[rank], why]
        self.agent.uplink.send(wire.RETURN, json.dumps(body).encode())

    # -- children ----------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # it has gone again, or there are too many: they are tried at the next event
        if len(self._visitors) >= VISITORS:
            connection.close()
            self._stranger()
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fd = connection.detach()
        session = wire.Session(self.agent.config["secret"], True, os.urandom(16))
        link = Link(self.loop, session, fd, fd, lambda kind, body: self._hello(link, kind, body), lambda _: gone())
        self._visitors.add(link)
        timer = self.loop.later(VISIT, lambda: link.fail("silent") if link in self._visitors else None)

        def gone() -> None:
            timer.cancel()
            if link in self._visitors:
                self._visitors.discard(link)
                self._stranger()

    def _stranger(self) -> None:
        self._numbers["strangers"] += 1
        self._tell_soon()

    def _hello(self, link: Link, kind: int, body: bytes) -> None:
        assert self.state is not None
        if kind != wire.HELLO:
            raise ValueError("not a HELLO")
        hello = json.loads(body)
        rank = hello["rank"]
        self._visitors.discard(link)
        attempts = self.state.attempts.get(rank, 0)
        if hello.get("orphan"):
            lost = [one for one, pid in hello["lost"] if one in self.children and self.children[one].pid == pid]
            failed = [record[0] for record in hello.get("failed", ())]
            orders = self.state.adopt(rank, hello.get("below", ()), hello.get("left", ()), lost, failed)
        else:
            orders = self.state.connected(rank)
        if any(isinstance(order, state.Dismiss) for order in orders):
            link.send(wire.STOP)
            self.loop.later(VISIT, link.close)
            return
        child = self.children[rank] = Offspring(rank, link, hello["pid"])
        child.codes.update(("agent", "parent") if "below" in hello else ())
        link.got = lambda kind, body: self._heard(child, kind, body)
        link.lost = lambda reason: self._child_lost(child, reason)
        for record in hello.get("failed", ()):
            if self.state.believes(rank, record[0], failed=True):
                self._news_of(wire.FAILED, record)
        # Of an orphan a launch may be under way; it is not what brought the orphan, and is ended below.
        launch = None if hello.get("orphan") else self._current.pop(rank, None)
        attempt = self._attempts.get(launch) if launch is not None else None
        now = monotonic()
        begun = attempt.queued if attempt is not None else now
        if attempt is not None and launch is not None:
            if attempt.timer is not None:
                attempt.timer.cancel()
            self._pool.settled(launch)
            self._slowest = max(self._slowest, now - begun)
        self._log(launch or 0, "up")
        # An orphan's too: its first parent may have died before it could tell.
        record = [rank, self.agent.rank, self._level + 1, round(begun - self._start, 4),
                  round(now - self._start, 4), hello["pid"], attempts, hello["python"]]  # fmt: skip
        self._news_of(wire.UP, record)
        self._send_run(child)
        self._do(orders)
        self._watch_late()

    def _send_run(self, child: Offspring) -> None:
        order = self.agent.run_order
        if order is not None:
            self._send_code(child, "agent")
            here = bool(self._hosts[child.rank][6])
            child.link.send(wire.RUN, json.dumps(dict(order, here=here)).encode())

    def _send_code(self, child: Offspring, bundle: str) -> None:
        if bundle not in child.codes:
            child.codes.add(bundle)
            child.link.send(wire.CODE, self.agent.store.bundles[bundle])

    def _send_share(self, order: state.Share) -> None:
        assert self.state is not None
        child = self.children[order.child]
        if not order.ranks:
            child.link.send(wire.SHARE)
            return
        self._send_code(child, "agent")
        self._send_code(child, "parent")
        hosts = [[*self._hosts[rank][:5], self.state.attempts[rank], self._hosts[rank][6]] for rank in order.ranks]
        share = {"boot": self._boot, "level": self._level + 1, "clock": monotonic() - self._start, "hosts": hosts}
        child.link.send(wire.SHARE, json.dumps(share, separators=(",", ":")).encode())

    def _child_lost(self, child: Offspring, reason: str) -> None:
        assert self.state is not None
        self.children.pop(child.rank, None)
        if self.agent.stopping:
            self.agent.see_whether_all_ended()
            return
        self._failures[child.rank] = Verdict(causes.LOST, "up", "the agent was up, then gone: " + reason, [], "")
        self._do(self.state.child_lost(child.rank))

    def _heard(self, child: Offspring, kind: int, body: bytes) -> None:
        assert self.state is not None
        known = self.state
        if kind == wire.PONG:
            return
        if kind == wire.OUT:
            self.agent.outlet.put(body, child.credits)
        elif kind == wire.EXIT:
            self.agent.outlet.put_exit(body)
        elif kind == wire.WANT:
            self._psutil.wanted(child.link, json.loads(body))
        elif kind in (wire.LOG, wire.TOLD, wire.NOTE):
            self.agent.uplink.send(kind, body)
        elif kind == wire.LAUNCHED:
            for name, count in json.loads(body).items():
                self._numbers[name] += int(count)
                if name == "launched":
                    self._do(known.child_launched(child.rank, int(count)))
            self._tell_soon()
        elif kind == wire.UP:
            for record in json.loads(body):
                if known.believes(child.rank, record[0], failed=False):
                    self._do(known.child_up(child.rank, record[0]))
                    self._news_of(kind, record)
        elif kind == wire.FAILED:
            for record in json.loads(body):
                if known.believes(child.rank, record[0], failed=True):
                    self._do(known.child_failed(child.rank, record[0]))
                    self._news_of(kind, record)
        elif kind == wire.RETURN:
            self._returned(child, json.loads(body))
        elif kind == wire.DONE:
            self._do(known.child_done(child.rank, int(body)))
        else:
            raise ValueError("unexpected")

    def _returned(self, child: Offspring, body: Dict[str, Any]) -> None:
        assert self.state is not None
        attempts = {}
        for name, (count, why) in body["hosts"].items():
            attempts[int(name)] = count
            if why is not None:
                self._failures[int(name)] = Verdict(why[0], why[1], why[2], [], why[3])
        self._do(self.state.child_returned(child.rank, attempts, body["tried"], body["disabled"]))

    # -- what takes long ---------------------------------------------------------------------------

    def _watch_late(self) -> None:
        """Once a launch has led to an agent, those that take much longer are late: see BootState.is_late."""
        if self._late_timer is None and self._current and self._slowest:
            self._late_timer = self.loop.later(max(self._slowest, 0.5), self._find_late)

    def _find_late(self) -> None:
        assert self.state is not None
        self._late_timer = None
        patience = max(2 * self._slowest, self._slowest + 0.5)
        now = monotonic()
        for rank, launch in list(self._current.items()):
            if now - self._attempts[launch].queued > patience:
                self._do(self.state.is_late(rank))
        if any(rank not in self.state.late for rank in self._current):
            self._watch_late()

    # -- news upward -------------------------------------------------------------------------------

    def _news_of(self, kind: int, record: List[Any]) -> None:
        self._news[kind].append(record)
        for told in self._told.values():
            told.pop(record[0], None)  # only the latest word is told again
        self._told[kind][record[0]] = record
        self._tell_soon()

    def _tell_soon(self) -> None:
        if not self._news_due:
            self._news_due = True
            self.loop.soon(self._tell)

    def _tell(self) -> None:
        """Send what has gathered in this round, merged."""
        self._news_due = False
        uplink = self.agent.uplink
        for kind, records in self._news.items():
            if records:
                uplink.send(kind, json.dumps(records, separators=(",", ":")).encode())
                self._news[kind] = []
        if any(self._numbers.values()):
            uplink.send(wire.LAUNCHED, json.dumps(self._numbers).encode())
            self._numbers = dict.fromkeys(self._numbers, 0)

    def _log(self, launch: int, text: str, when: float = 0.0) -> None:
        if self._boot["verbose"]:
            clock = (when or monotonic()) - self._start
            attempt = self._attempts.get(launch)
            host = self._hosts[attempt.rank][1] if attempt is not None else ""
            self.agent.complain("%8.3f %s %s" % (clock, host, text))
