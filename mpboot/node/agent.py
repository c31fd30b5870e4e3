"""An agent that is more than a leaf: one loop, the user's command, and once a share comes the part that launches.

The root is such an agent; its parent is the front door.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import posix
import sys
from time import monotonic

from mpboot.net import patience, wire
from mpboot.net.fields import number
from mpboot.net.jobs import FIRST, Run
from mpboot.net.loop import READ, Loop
from mpboot.node.uplink import Uplink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, NoReturn, Optional

    from mpboot.net.loop import Timer
    from mpboot.node import leaf
    from mpboot.node.jobs import Commands
    from mpboot.node.parent import Parent

BEAT = 2.0  # seconds between heartbeats
IDLE = 0.6  # of the silence after which a peer is lost: the same where nothing is under way
EXIT_CRASHED = 70  # sysexits' EX_SOFTWARE
# An end from outside. A child that says nothing for STOP_GRACE seconds is waited for no more, nor is a command of which
# nothing has come for as long; whatever there is to wait for, an agent leaves when STOP_LIMIT seconds are over.
STOP_GRACE, STOP_BEAT, STOP_LIMIT = 2.5, 1.0, 6.0
LAST_WORDS = 2.0  # seconds that the parent may take to read what is left to say
ABOUT_JOBS = {wire.SIGNAL: "signal", wire.STDIN: "stdin", wire.HOLD: "hold", wire.WINDOW: "window"}
POLL_END = 0.05  # seconds between two looks whether a command's processes have ended: not all are our children


def _traceback() -> str:
    """Of the fault in hand; in our own words where no descriptor is left to load the module of that name."""
    _, fault, at = sys.exc_info()
    try:
        import traceback

        return traceback.format_exc()
    except (ImportError, OSError):
        lines = ["Traceback (most recent call last):"]
        while at is not None:
            lines.append(
                '  File "%s", line %d, in %s'
                % (at.tb_frame.f_code.co_filename, at.tb_lineno, at.tb_frame.f_code.co_name)
            )
            at = at.tb_next
        return "\n".join([*lines, "%s: %s" % (type(fault).__name__, fault), ""])


class Agent:
    """Runs until STOP, or until no ancestor is left."""

    def __init__(self, line: leaf.Line, config: wire.AgentConfig, store: Any) -> None:
        """``store``: the modules that came with the launch and since, see stage.py."""
        gc.disable()  # a boot makes little garbage, and each fork would copy what the collector touches
        self._config = config
        self._store = store
        self._is_root = config.fd is not None
        self._loop = Loop()
        self._uplink = Uplink(self._loop, line, config, self._got, self._alone)
        self._commands: Optional[Commands] = None  # none has come so far
        self._boot_order: Optional[Run] = None  # that of the boot's own command
        self._stopping = self._leaving = False
        self._moved, self._moved_at = 0, 0.0  # how much output had gone up when we looked, and since when it is so much
        self._look: Optional[Timer] = None  # whether all has ended
        self._ignored: List[int] = []  # signals, by whoever started us: the command is to ignore them too
        self._parent: Optional[Parent] = None
        # A Parent adds its kinds; until there is one, what is for parents only is nobody's.
        self._handlers: Dict[int, Callable[[bytes], None]] = {
            wire.PING: lambda _: self._pinged(),
            wire.CODE: store.add,
            wire.SHARE: self._first_share,
            wire.RUN: lambda body: self._run(Run.unpack(body)),
            **{kind: self._about_job(kind) for kind in ABOUT_JOBS},
            wire.CREDIT: lambda body: self._uplink.outlet.grant(number(body)),
            wire.STOP: lambda body: self._stop(number(body, 0, 64) if body else _signal.SIGTERM),
            wire.MOVE: lambda _: self._uplink.move(),
            wire.LEAVE: lambda _: self._leave_in_order(),
            **dict.fromkeys((wire.PONG, wire.RECLAIM, wire.PSUTIL, wire.TELL, wire.GO), lambda _: None),
        }
        self._watch_signals()
        self._beaten, self._pause = monotonic(), BEAT
        self._next_beat = self._loop.later(BEAT, self._beat)

    def run(self, received: List[wire.Message]) -> NoReturn:
        """Take the messages that were read already, then live in the loop."""
        try:
            for kind, body in received:
                self._got(kind, body)
            self._loop.run()
            if self._parent is not None:
                self._parent.end()
            pieces = sys.modules.get("mpboot.node.armour")  # where the line is rsh's stdio
            if pieces is not None:
                pieces.wait()
        except BaseException:
            self._crash()
        posix._exit(0)

    # -- its life ----------------------------------------------------------------------------------

    def _watch_signals(self) -> None:
        read, write = posix.pipe()
        for fd in (read, write):
            posix.set_blocking(fd, False)
            posix.set_inheritable(fd, False)
        _signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for one in (_signal.SIGCHLD, _signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP):
            if _signal.signal(one, lambda *_: None) == _signal.SIG_IGN:
                self._ignored.append(one)
        self._loop.watch(read, READ, lambda _: self._signalled(posix.read(read, 256)))

    def _signalled(self, numbers: bytes) -> None:
        for one in set(numbers):
            if one == _signal.SIGCHLD:
                if self._commands is not None:
                    self._commands.child_changed()
            elif one != _signal.SIGHUP:
                self._stop(one)

    def _beat(self) -> None:
        now, silence = monotonic(), self._config.silence
        missed, self._beaten = patience.missed(now - self._beaten, self._pause), now
        self._pause = max(BEAT, silence * IDLE) if self._is_idle else BEAT
        self._next_beat = self._loop.later(self._pause, self._beat)
        if self._parent is not None:
            self._parent.beat(silence, missed)
        if not self._is_root:
            self._uplink.beat(silence, missed)

    def _pinged(self) -> None:
        """The parent asks whether we live; who has nothing to do looks for it only when it has not asked for long."""
        self._uplink.send(wire.PONG)
        if self._parent is None and self._is_idle:
            self._next_beat.cancel()
            self._beaten, self._pause = monotonic(), max(BEAT, self._config.silence * patience.ASK)
            self._next_beat = self._loop.later(self._pause, self._beat)

    @property
    def _is_idle(self) -> bool:
        """Does nothing run here, and is nothing booted below? Then it is enough to look now and then."""
        busy = self._parent is not None and not self._parent.is_idle
        return not (busy or self._stopping or (self._commands is not None and not self._commands.idle))

    # -- what the parent says ----------------------------------------------------------------------

    def _got(self, kind: int, body: bytes) -> None:
        if kind not in self._handlers:
            raise ValueError("unexpected")
        self._handlers[kind](body)

    def _first_share(self, body: bytes) -> None:
        """As long as there is nothing to boot, an agent remains without the part that launches."""
        if not body:
            self._config.shares += 1
            self._uplink.done(self._config.shares)
            return
        from mpboot.workers import forkserver

        try:
            server = forkserver.start()  # now, while there is next to nothing that each worker would get a copy of
        except OSError:
            server = (0, -1)  # no process can be had: perhaps when the first launch wants one
        from mpboot.net.messages import Share
        from mpboot.node.parent import Parent

        share = Share.unpack(body)
        self._parent = Parent(
            self._loop, self._config, self._uplink, self._store, share, server, self._child_gone, self._got
        )
        if self._commands is not None:
            self._commands.passing_on = self._parent.dispatch.taken_here
        self._handlers.update(self._parent.handlers())
        if self._boot_order is not None:
            self._parent.dispatch.pass_on(self._boot_order)
        self._parent.take_share(share)

    def _run(self, order: Run) -> None:
        self._uplink.forget(order.oldest)
        if order.job == FIRST:
            if self._boot_order is not None:
                return
            self._boot_order = order
            if self._parent is not None:
                self._parent.dispatch.pass_on(order)
        if order.here and not self._is_root and not self._stopping:
            self._own_jobs().run(order)

    def _about_job(self, kind: int) -> Callable[[bytes], None]:
        def take(body: bytes) -> None:
            getattr(self._own_jobs(), ABOUT_JOBS[kind])(body)

        return take

    def _own_jobs(self) -> Commands:
        if self._commands is None:
            from mpboot.node.jobs import Commands

            rank, host = self._config.rank, self._config.host
            self._commands = Commands(self._loop, self._uplink, rank, host, self._ignored, self._leave_if_all_ended)
            if self._parent is not None:
                self._commands.passing_on = self._parent.dispatch.taken_here
        return self._commands

    def _tell_note(self, rank: int, what: str, text: str) -> None:
        from mpboot.net import commands

        self._uplink.send(wire.NOTE, commands.Note(rank, what, text).pack())

    # -- its end -----------------------------------------------------------------------------------

    def _stop(self, number: int, moves: bool = False) -> None:
        """End in good order: children, launches, the command, what all of these have still to say; then the loop."""
        if self._stopping:
            return
        self._stopping = True
        self._moved_at = monotonic()
        self._uplink.seek_no_other()
        if self._commands is not None:
            self._commands.stop(number)
        if self._parent is not None:
            self._parent.stop(number, moves)
        self._loop.later(STOP_BEAT, self._hurry)
        self._loop.later(STOP_LIMIT, self._leave)
        self._leave_if_all_ended()

    def _leave_in_order(self) -> None:
        """End alone: the children turn to another ancestor when we have passed on what they have to say."""
        self._stop(_signal.SIGTERM, moves=True)

    def _child_gone(self) -> None:
        self._leave_if_all_ended()

    def _hurry(self) -> None:
        """While stopping: who gives no sign is waited for no more."""
        self._loop.later(STOP_BEAT, self._hurry)
        if self._parent is not None:
            self._parent.beat(STOP_GRACE)
        moved, now = self._uplink.outlet.moved, monotonic()
        if moved != self._moved:
            self._moved, self._moved_at = moved, now
        elif now - self._moved_at > STOP_GRACE and not self._has_children:
            self._leave()

    @property
    def _has_children(self) -> bool:
        return self._parent is not None and bool(self._parent.children)

    def _leave_if_all_ended(self) -> None:
        """While stopping: leave as soon as nothing is left to wait for."""
        if not self._stopping or self._has_children:
            return
        if self._look is not None:
            self._look.cancel()
        if (self._commands is None or self._commands.ended) and self._uplink.outlet.empty:
            self._leave()
        else:
            self._look = self._loop.later(POLL_END, self._leave_if_all_ended)

    def _alone(self) -> None:
        """No parent is left."""
        self._uplink.outlet.void()
        if self._stopping:
            self._leave()
        else:
            self._stop(_signal.SIGTERM)

    def _leave(self) -> None:
        """Say what is left to say, and go when the parent has it."""
        if self._leaving:
            return
        self._leaving = True
        if self._commands is not None:
            self._commands.give_up()
        for rank in self._uplink.cut():
            from mpboot.node import remains

            self._tell_note(rank, remains.OUTPUT, remains.CUT)
        self._uplink.finish(self._loop.stop)
        self._loop.later(LAST_WORDS, self._loop.stop)

    def _crash(self) -> NoReturn:
        """Leave at once after a fault of mpboot's own: an orderly end would wait for workers that wait for us."""
        told = "mpboot: the agent on %s crashed: %s" % (self._config.host, _traceback())
        if self._commands is not None:
            self._commands.kill()
        self._uplink.log(told)
        self._uplink.close()
        if self._is_root:
            sys.stderr.write(told)
            sys.stderr.flush()
        posix._exit(EXIT_CRASHED)
