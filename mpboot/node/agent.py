"""An agent that is more than a leaf: one loop, the link to its parent, the user's command, and (loaded only

when a share comes) the part that launches others. The root is such an agent; its parent is the front door.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import os
import sys
from time import monotonic

from mpboot.net import plain, wire
from mpboot.net.link import Link
from mpboot.net.loop import READ, Loop
from mpboot.net.outlet import Outlet
from mpboot.node import leaf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, NoReturn, Optional

    from mpboot.node.command import Command
    from mpboot.node.parent import Parent

BEAT = 2.0  # seconds between heartbeats
EXIT_CRASHED = 70  # sysexits' EX_SOFTWARE
STOP_GRACE = 2.5  # seconds that children and the command may take to end


class Agent:
    """Runs until STOP, or until no ancestor is left. ``config`` is what came with the launch (see leaf.py)."""

    def __init__(self, line: leaf.Line, config: Dict[str, Any], store: Any) -> None:
        gc.disable()  # a boot makes little garbage, and each fork would copy what the collector touches
        self.config = config
        self.store = store
        self.loop = Loop()
        self.rank: int = config["rank"]
        self.is_root = config["fd"] is not None
        self.uplink = self._link(line)
        self.outlet = Outlet(self.uplink.send)
        self.command: Optional[Command] = None
        self.run_order: Optional[Dict[str, Any]] = None
        self.stopping = False
        self._exits: Dict[int, int] = {}  # commands that have ended, here and below, by rank
        self._parent: Optional[Parent] = None
        self._watch_signals()
        self.loop.later(BEAT, self._beat)

    def run(self, messages: List[wire.Message]) -> NoReturn:
        """Take the messages that were read already, then live in the loop."""
        try:
            for kind, body in messages:
                self.uplink.got(kind, body)
            self.loop.run()
        except BaseException:
            self._crash()
        os._exit(0)

    def stop(self, number: int) -> None:
        """End in good order: children, launches, the command; then the loop."""
        if self.stopping:
            return
        self.stopping = True
        if self.command is not None:
            self.command.stop(number)
        if self._parent is not None:
            self._parent.stop(number)
        self.loop.later(STOP_GRACE, self._leave)
        self.see_whether_all_ended()

    def see_whether_all_ended(self) -> None:
        """While stopping: leave as soon as nothing is left to wait for."""
        if not self.stopping or (self._parent is not None and self._parent.children):
            return
        if self.command is not None and self.command.running:
            self.loop.later(0.05, self.see_whether_all_ended)  # processes that are not our children give no event
            return
        self._leave()

    # -- inside ------------------------------------------------------------------------------------

    def _leave(self) -> None:
        if self.command is not None:
            self.command.kill()
        self.uplink.close()
        self.loop.stop()

    def _link(self, line: leaf.Line) -> Link:
        link = Link(self.loop, line.session, line.read_fd, line.write_fd, self._got, self._parent_lost)
        link.heard = line.heard
        return link

    def _watch_signals(self) -> None:
        read, write = os.pipe()
        for fd in (read, write):
            os.set_blocking(fd, False)
            os.set_inheritable(fd, False)
        _signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (_signal.SIGCHLD, _signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP):
            _signal.signal(number, lambda *_: None)
        self.loop.watch(read, READ, lambda _: self._signalled(os.read(read, 256)))

    def _signalled(self, numbers: bytes) -> None:
        for number in set(numbers):
            if number == _signal.SIGCHLD:
                if self.command is not None:
                    self.command.child_ended()
            elif number != _signal.SIGHUP:
                self.stop(number)

    def _beat(self) -> None:
        self.loop.later(BEAT, self._beat)
        if self._parent is not None:
            self._parent.beat()
        silent = self.config["silence"]
        if not self.is_root and monotonic() - self.uplink.heard > silent:
            self.uplink.fail("silent for %.0f s" % silent)

    def _got(self, kind: int, body: bytes) -> None:
        if kind == wire.PING:
            self.uplink.send(wire.PONG)
        elif kind == wire.CODE:
            self.store.add(body)
        elif kind == wire.SHARE:
            self._share(body)
        elif kind == wire.RUN:
            self._run(plain.loads(body))
        elif kind == wire.RECLAIM:
            if self._parent is not None:
                self._parent.reclaim(int(body))
        elif kind == wire.CREDIT:
            self.outlet.grant(int(body))
        elif kind == wire.STOP:
            self.stop(int(body or b"15"))
        elif kind == wire.PSUTIL:
            if self._parent is not None:
                self._parent.take_psutil(body)
        elif kind == wire.TELL:
            if self._parent is not None:
                self._parent.tell_launches()
        elif kind == wire.GO:
            if self._parent is not None:
                self._parent.tell_children(wire.GO)
        elif kind != wire.PONG:
            raise ValueError("unexpected")

    def _share(self, body: bytes) -> None:
        if self._parent is None and not body:
            self.config["shares"] += 1
            self.uplink.send(wire.DONE, b"%d" % self.config["shares"])
            return
        share = plain.loads(body) if body else {"hosts": []}
        if self._parent is None:
            from mpboot.workers import forkserver

            try:
                server = forkserver.start()  # now, while there is next to nothing that each worker would get a copy of
            except OSError:
                server = (0, -1)  # no process can be had: perhaps when the first launch wants one
            from mpboot.node.parent import Parent

            self._parent = Parent(self, share, server)
        self._parent.take_share(share)

    def _run(self, order: Dict[str, Any]) -> None:
        if self.run_order is not None:
            return
        self.run_order = order
        if self._parent is not None:
            self._parent.pass_run_on()
        if self.is_root or not order["here"]:
            return
        from mpboot.node.command import Command

        environment = dict(order["env"], MPBOOT_RANK=str(self.rank), MPBOOT_HOST=self.config["host"])
        self.command = Command(self.loop, self.outlet, self.rank, order["argv"], environment, self._command_ended)

    def _command_ended(self, code: int) -> None:
        self.tell_exits([[self.rank, code]])
        if self.stopping:
            self.see_whether_all_ended()

    def _parent_lost(self, _: str) -> None:
        if self.stopping:
            self._leave()
            return
        found = None if self.is_root else leaf.find_ancestor(self.config)
        if found is None:
            self.stop(_signal.SIGTERM)
            return
        line, messages = found
        self.uplink = self._link(line)
        extra: Dict[str, Any] = {"orphan": True, "lost": self.config["lost"]}
        if self._parent is not None:
            extra.update(self._parent.family())
        self.uplink.send(wire.HELLO, leaf.hello(self.config, "," + plain.dumps(extra).decode("ascii")[1:-1]))
        self.outlet.renew(self.uplink.send)
        if self._parent is not None:
            self._parent.news.again()
        if self._exits:  # the old parent may have died with them
            self.tell_exits([[rank, code] for rank, code in self._exits.items()])
        for kind, body in messages:
            self._got(kind, body)

    def tell_exits(self, exits: List[List[int]]) -> None:
        """Commands have ended: [rank, exit code] of each."""
        self._exits.update((rank, code) for rank, code in exits)
        self.outlet.put_exit(plain.dumps(exits))

    def complain(self, text: str) -> None:
        """Send a line to the person who watches."""
        self.uplink.send(wire.LOG, text.encode("utf-8", "replace"))

    def _crash(self) -> NoReturn:
        """A fault of mpboot's own. Leave at once: an orderly exit would wait for workers that wait for us."""
        import traceback

        text = "mpboot: the agent on %s crashed: %s" % (self.config["host"], traceback.format_exc())
        if self.command is not None:
            self.command.kill()
        self.complain(text)
        self.uplink.close()
        if self.is_root:
            sys.stderr.write(text)
            sys.stderr.flush()
        os._exit(EXIT_CRASHED)
