"""The part of an agent that launches others: its children, and BootState's orders.

What to do is decided in tree/state.py; here it is done, by the launcher and over the children's links, and what
comes of it is told to the state, and upward.
"""

from __future__ import annotations

import os
from time import monotonic

from mpboot.net import plain, wire
from mpboot.net.outlet import Credits
from mpboot.node.address import own_addresses
from mpboot.node.door import VISIT, Door
from mpboot.node.launcher import Launcher
from mpboot.node.news import News
from mpboot.node.pace import room_for_children
from mpboot.node.supply import PsutilSupply
from mpboot.tree import causes, ledger, state
from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Order, Pause, Reclaim, Return, Share
from mpboot.tree.policy import Policy
from mpboot.workers.carrier import Verdict
from mpboot.workers.forker import ForkServer
from mpboot.workers.settings import settle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Set, Tuple

    from mpboot.net.link import Link
    from mpboot.node.agent import Agent

SILENT = "silent"
LEAST_PACE = 0.002  # seconds per launch: less is not believed


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
    """Boots what its agent is given. Made with the first share, which brings the boot's settings."""

    def __init__(self, agent: Agent, share: Dict[str, Any], server: Tuple[int, int]) -> None:
        """``server``: what forkserver.start() gave."""
        self.agent = agent
        self.loop = agent.loop
        self.children: Dict[int, Offspring] = {}
        self._hosts: Dict[int, List[Any]] = {}  # rank -> [rank, label, name, user, port, attempts, here]
        self._failures: Dict[int, Verdict] = {}
        self._disabled = False
        self._telling = False
        config = agent.config
        boot = self._boot = share["boot"]
        self._level: int = share["level"]
        self._start = agent.uplink.heard - share["clock"]
        policy = Policy(boot["topology"], boot["children"])
        if policy.adaptive:
            policy.fanout = max(1, room_for_children(policy.width))
        relaunch = not boot["command"]
        self.state = state.BootState(policy, boot["retries"], agent.is_root, relaunch, config["shares"])
        self.news = News(agent)
        self._door = Door(self.loop, config["secret"], self._hello, lambda: self.news.count("strangers"))
        route = (self._door.port, tuple(own_addresses()))
        theirs = {
            "secret": config["secret"], "routes": (route,) if agent.is_root else (route, *config["routes"]),
            # Lists, since leaf.py writes them as JSON without json. A rank may be a later agent's: the pid tells.
            "lineage": [[agent.rank, os.getpid()], *config["lineage"]],
            "transport": boot["transport"], "attach": boot["attach"], "budget": boot["budget"],
            "silence": config["silence"], "fd": None, "trust_ssh": boot["rsh"] != "local",
        }  # fmt: skip
        sample = share["hosts"][0][2] if share["hosts"] else "localhost"
        settings = settle(boot, config["kit"], theirs, self._door.port, sample)
        self._launcher = launcher = Launcher(self.loop, ForkServer(server), settings)
        if agent.is_root:
            launcher.pool.lookout.search += boot["psutil"]
        launcher.failed = self._launch_failed
        launcher.late = lambda rank: self._do(self.state.is_late(rank))
        launcher.no_room = lambda rank: self._do(self.state.not_launched(rank))
        launcher.pool.has_room = lambda workers: room_for_children(workers) > len(self.children)
        launcher.try_again = lambda: self._do(self.state.widen(1))
        launcher.keeps_up = self._keeps_up
        launcher.wants_more = lambda: policy.adaptive and self.state.counts[ledger.PENDING] > 0
        launcher.log = self._log
        self._psutil = PsutilSupply(launcher.pool, agent, self.note, boot["psutil"] if agent.is_root else [])

    # -- from above --------------------------------------------------------------------------------

    def take_share(self, share: Dict[str, Any]) -> None:
        """Hosts to boot."""
        for host in share["hosts"]:
            self._hosts[host[0]] = host
        ranks = [host[0] for host in share["hosts"]]
        self._do(self.state.add(ranks, {host[0]: host[5] for host in share["hosts"]}))

    def take_psutil(self, body: bytes) -> None:
        """The answer to our WANT."""
        self._psutil.take(body)

    def reclaim(self, count: int) -> None:
        """The parent is idle and asks for hosts back."""
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
        self._door.close()
        self.tell_children(wire.STOP, b"%d" % number)
        self.state.stop(causes.INTERRUPTED)
        # The children must hear of the end before this node waits for its workers.
        self.loop.soon(self._launcher.stop)

    def beat(self) -> None:
        """A heartbeat: ask the children whether they live, give up those that are silent."""
        now = monotonic()
        for child in list(self.children.values()):
            if now - child.link.heard > self.agent.config["silence"]:
                child.link.fail("%s for %.0f s" % (SILENT, now - child.link.heard))
            else:
                child.link.send(wire.PING)

    def tell_launches(self) -> None:
        """Tell upward which launches are under way, and have the parents below do so."""
        if self._telling:
            return
        self._telling = True
        parents = [child for child in self.children.values() if "parent" in child.codes]
        for child in parents:
            child.link.send(wire.TELL)
        # Whoever gathers the answers must know how many there will be before the first of them comes.
        self._tell_of([], len(parents) + 1)
        self._launcher.tell(self._launches_seen)

    def note(self, what: str, text: str) -> None:
        """Tell upward what this node can't do, or does otherwise; once, for the report."""
        self.agent.uplink.send(wire.NOTE, plain.dumps([self.agent.rank, what, text]))

    def family(self) -> Dict[str, Any]:
        """What an adopting ancestor has to know: who is up below, who is not finished, who failed and how."""
        below, left, failed = self.state.new_parent()
        return {"below": below, "left": left, "failed": [self.news.failure(rank) for rank in failed]}

    # -- the state's orders ------------------------------------------------------------------------

    def _do(self, orders: List[Order]) -> None:
        for order in orders:
            if isinstance(order, Launch):
                self.news.count("launched")
                self._launcher.launch(self._hosts[order.rank], order.attempt)
            elif isinstance(order, Share):
                self._send_share(order)
            elif isinstance(order, Kill):
                self._launcher.cancel(order.rank)
            elif isinstance(order, Pause):
                self._pause(order)
            elif isinstance(order, Fail):
                self._fail(order)
            elif isinstance(order, Return):
                self._return(order)
            elif isinstance(order, Reclaim):
                self.children[order.child].link.send(wire.RECLAIM, b"%d" % order.count)
            elif isinstance(order, Done):
                self.news.send()
                self.agent.uplink.send(wire.DONE, b"%d" % order.shares)

    def _pause(self, order: Pause) -> None:
        self.loop.later(order.delay, lambda: self._do(self.state.resume(order.ranks)))

    def _keeps_up(self, count: int) -> None:
        """This machine could begin so many launches more: an adaptive node widens."""
        known = self.state
        if not known.policy.adaptive or not known.counts[ledger.PENDING]:
            return
        fresh = known.counts[ledger.LAUNCHING] - len(known.late)
        known.policy.fanout = max(1, room_for_children(fresh))
        if self._launcher.begun:
            known.policy.pace = max(LEAST_PACE, (monotonic() - self._launcher.first) / self._launcher.begun)
        self._do(known.widen(fresh + (0 if self._boot["children"] else count)))

    def _launch_failed(self, rank: int, verdict: Verdict) -> None:
        self._failures[rank] = verdict
        from mpboot.workers.diagnosis import BUSY_TRIES, is_busy

        attempts = self.state.attempts[rank]
        busy = is_busy(verdict.cause, verdict.stderr) and attempts <= self._boot["retries"] + BUSY_TRIES
        starting = verdict.cause in causes.STARTING and monotonic() - self._start < self._boot["wait_for"]
        self.state.narrow()
        self._do(self.state.launch_failed(rank, verdict.cause, again=busy or starting))

    def _fail(self, order: Fail) -> None:
        verdict = self._failures.get(order.rank)
        if verdict is None or verdict.cause != order.cause:
            verdict = Verdict(order.cause, "", "", [], "")
        record = [order.rank, order.cause, verdict.phase, self.state.attempts[order.rank], self.agent.rank,
                  verdict.detail, verdict.stderr]  # fmt: skip
        self.news.of_host(wire.FAILED, record)

    def _return(self, order: Return) -> None:
        self.news.send()
        if order.disabled and not self._disabled:
            self._disabled = True
            seen = [self._failures[rank] for rank in order.ranks if rank in self._failures]
            self.note("leaf", "%s: %s" % (seen[0].cause, seen[0].detail) if seen else "")
        body: Dict[str, Any] = {"tried": order.tried, "disabled": order.disabled, "hosts": {}}
        for rank in order.ranks:
            verdict = self._failures.get(rank)
            why = [verdict.cause, verdict.phase, verdict.detail, verdict.stderr] if verdict and order.tried else None
            body["hosts"][str(rank)] = [self.state.attempts[rank], why]
        self.agent.uplink.send(wire.RETURN, plain.dumps(body))

    # -- children ----------------------------------------------------------------------------------

    def _hello(self, link: Link, hello: Dict[str, Any]) -> None:
        rank = hello["rank"]
        attempts = self.state.attempts.get(rank, 0)
        if hello.get("orphan"):
            lost = [one for one, pid in hello["lost"] if one in self.children and self.children[one].pid == pid]
            failed = [record[0] for record in hello.get("failed", ())]
            orders = self.state.adopt(rank, hello.get("below", ()), hello.get("left", ()), lost, failed)
        else:
            self.state.narrow()
            orders = self.state.connected(rank)
        if any(isinstance(order, Dismiss) for order in orders):
            link.got = lambda *_: None
            link.lost = lambda _: None
            link.send(wire.STOP)
            self.loop.later(VISIT, link.close)
            return
        child = self.children[rank] = Offspring(rank, link, hello["pid"])
        child.codes.update(("agent", "parent") if "below" in hello else ())
        link.got = lambda kind, body: self._heard(child, kind, body)
        link.lost = lambda reason: self._child_lost(child, reason)
        for record in hello.get("failed", ()):
            if self.state.believes(rank, record[0], failed=True):
                self.news.of_host(wire.FAILED, record)
        # Of an orphan a launch may be under way; it is not what brought the orphan, and an order ends it below.
        begun, now = (monotonic(),) * 2 if hello.get("orphan") else self._launcher.connected(rank)
        self._log(now, self._hosts[rank][1], "up")
        # An orphan's too: its first parent may have died before it could tell.
        record = [rank, self.agent.rank, self._level + 1, round(begun - self._start, 4),
                  round(now - self._start, 4), hello["pid"], attempts, hello["python"]]  # fmt: skip
        self.news.of_host(wire.UP, record)
        self._send_run(child)
        self._do(orders)

    def _send_run(self, child: Offspring) -> None:
        order = self.agent.run_order
        if order is not None:
            self._send_code(child, "agent")
            here = bool(self._hosts[child.rank][6])
            child.link.send(wire.RUN, plain.dumps(dict(order, here=here)))

    def _send_code(self, child: Offspring, bundle: str) -> None:
        if bundle not in child.codes:
            child.codes.add(bundle)
            child.link.send(wire.CODE, self.agent.store.bundles[bundle])

    def _send_share(self, order: Share) -> None:
        child = self.children[order.child]
        if not order.ranks:
            child.link.send(wire.SHARE)
            return
        self._send_code(child, "agent")
        self._send_code(child, "parent")
        hosts = [[*self._hosts[rank][:5], self.state.attempts[rank], self._hosts[rank][6]] for rank in order.ranks]
        share = {"boot": self._boot, "level": self._level + 1, "clock": monotonic() - self._start, "hosts": hosts}
        child.link.send(wire.SHARE, plain.dumps(share))

    def _child_lost(self, child: Offspring, reason: str) -> None:
        self.children.pop(child.rank, None)
        if self.agent.stopping:
            self.agent.see_whether_all_ended()
            return
        self._log(monotonic(), self._hosts[child.rank][1], "%s: %s" % (causes.LOST, reason))
        self._failures[child.rank] = Verdict(causes.LOST, "up", "the agent was up, then gone: " + reason, [], "")
        self._do(self.state.child_lost(child.rank, silent=reason.startswith(SILENT)))

    def _heard(self, child: Offspring, kind: int, body: bytes) -> None:
        known = self.state
        if kind == wire.PONG:
            return
        if kind == wire.OUT:
            self.agent.outlet.put(body, child.credits)
        elif kind == wire.EXIT:
            self.agent.tell_exits(plain.loads(body))
        elif kind == wire.WANT:
            self._psutil.wanted(child.link, plain.loads(body))
        elif kind in (wire.LOG, wire.TOLD, wire.NOTE):
            self.agent.uplink.send(kind, body)
        elif kind == wire.LAUNCHED:
            for name, count in plain.loads(body).items():
                self.news.count(name, int(count))
                if name == "launched":
                    self._do(known.child_launched(child.rank, int(count)))
        elif kind == wire.UP:
            for record in plain.loads(body):
                if known.believes(child.rank, record[0], failed=False):
                    self._do(known.child_up(child.rank, record[0]))
                    self.news.of_host(kind, record)
        elif kind == wire.FAILED:
            for record in plain.loads(body):
                if known.believes(child.rank, record[0], failed=True):
                    self._do(known.child_failed(child.rank, record[0]))
                    self.news.of_host(kind, record)
        elif kind == wire.RETURN:
            self._returned(child, plain.loads(body))
        elif kind == wire.DONE:
            self._do(known.child_done(child.rank, int(body)))
        else:
            raise ValueError("unexpected")

    def _returned(self, child: Offspring, body: Dict[str, Any]) -> None:
        attempts = {}
        for name, (count, why) in body["hosts"].items():
            attempts[int(name)] = count
            if why is not None:
                self._failures[int(name)] = Verdict(why[0], why[1], why[2], [], why[3])
        self._do(self.state.child_returned(child.rank, attempts, body["tried"], body["disabled"]))

    # -- what is told ------------------------------------------------------------------------------

    def _launches_seen(self, launches: List[Dict[str, Any]]) -> None:
        self._telling = False
        if not self.agent.stopping:
            self._tell_of([dict(one, **{"from": self.agent.rank}) for one in launches], 0)

    def _tell_of(self, launches: List[Dict[str, Any]], to_come: int) -> None:
        body = {"launches": launches, "to_come": to_come}
        self.agent.uplink.send(wire.TOLD, plain.dumps(body))

    def _log(self, when: float, label: str, text: str) -> None:
        if self._boot["verbose"]:
            self.agent.complain("%8.3f %s %s" % (when - self._start, label, text))
