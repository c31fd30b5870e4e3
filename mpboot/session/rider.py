"""One ssh that rides: its connection, the streams that it has passed, and the job that stands for its login."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from signal import SIGHUP
from time import monotonic

from mpboot.head.input import Input
from mpboot.head.jobs import End, Job, Jobs
from mpboot.net.jobs import GAP
from mpboot.net.login import CONNECTED
from mpboot.net.loop import READ, WRITE, Loop
from mpboot.net.outlet import STDERR, STDOUT
from mpboot.session import asking, mux, terminal
from mpboot.session.control import peer
from mpboot.session.streams import Sink, Stream, receive, taken_over
from mpboot.text import printable

FULL, EASED = 1 << 20, 1 << 18  # bytes that wait for the client: its job's output is held, and let go on
MOST_SAID = 1 << 12  # characters of why a connection can't be
SESSION = 1  # a connection has one
BACKGROUND = 0.3  # seconds until the next look whether ssh is in the foreground, where something was typed


class Rider:
    """Serves one connection of an ssh client that came to the socket of ``host``, which has this rank.

    ``terminals``: does it give any? ``is_up()``: is it up? ``begun(rider)`` and ``over(rider)`` are called when its job
    begins and has ended, ``gone(rider)`` when the connection is closed. It is its job's Listener (head/jobs.py).
    """

    def __init__(
        self,
        loop: Loop,
        jobs: Jobs,
        sock: socket.socket,
        host: str,
        rank: int,
        terminals: bool,
        is_up: Callable[[], bool],
        begun: Callable[[Rider], None],
        over: Callable[[Rider], None],
        gone: Callable[[Rider], None],
    ) -> None:
        self.host = host
        self.job: Job | None = None
        self.argv = ["ssh", host]
        self.begun = monotonic()
        self.detached = False
        self.pid, _ = peer(sock)
        self._loop = loop
        self._jobs = jobs
        self._sock = sock
        self._rank, self._terminals = rank, terminals
        self._is_up = is_up
        self._told_begun, self._told_over, self._gone = begun, over, gone
        self._reader = mux.Reader()
        self._out = bytearray(mux.hello())
        self._stdin: Stream | None = None
        self._input: Input | None = None
        self._sinks: dict[int, Sink] = {}
        self._size = (0, 0, 0, 0)
        self._has_all_input = self._is_cut = False
        self._whole = True  # all is known of its end, and nothing lost
        self._connects: int | None = None  # the request for a connection, while it has not come about
        self._why_not = ""
        self._end: End | None = None
        self._closing = False
        sock.setblocking(False)
        loop.watch(sock.fileno(), READ, self._ready)
        self._flush()

    @property
    def waits(self) -> str:
        """What it waits for, for people."""
        if self.job is None:
            return "the client's request"
        if any(sink.waiting for sink in self._sinks.values()):
            return "the client to read its output"
        return "the command" if self.job.left else "its end"

    @property
    def open(self) -> bool:
        """Is the client there?"""
        return self._sock.fileno() >= 0

    def signal(self, number: int, last: bool) -> None:
        """Send a signal to what runs for it."""
        if self.job is not None:
            self._jobs.signal(self.job, number, last)

    def resized(self) -> None:
        """A client's window has changed, perhaps this one's."""
        if self._stdin is None or not self._stdin.is_terminal or self.job is None or not self.job.left:
            return
        if (size := terminal.size(self._stdin.fd)) != self._size:
            self._size = size
            self._jobs.resize(self.job, size)

    def close(self) -> None:
        """Close at once; what runs for it gets HUP, and KILL a little later."""
        if not self.open:
            return
        self._loop.forget(self._sock.fileno())
        self._sock.close()
        for fd in self._reader.unclaimed():
            os.close(fd)
        if self._input is not None:
            self._input.close()
        for sink in self._sinks.values():
            sink.close()
        if self._stdin is not None:
            self._stdin.close()
        if self.job is not None and self.job.left:
            self._jobs.hold(self.job, False)
            self._jobs.signal(self.job, SIGHUP, True)
        self._gone(self)

    broken = close  # a fault of ours: ssh ends with 255

    # -- what the client says ----------------------------------------------------------------------

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if not self.open or not events & ~WRITE:
            return
        try:
            data, fds = receive(self._sock)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data:
            for fd in fds:
                os.close(fd)
            self.close()
            return
        try:
            for asked in self._reader.feed(data, fds):
                if isinstance(asked, mux.NewSession) and self._sock.fileno() < 0:
                    for fd in asked.fds:  # it went meanwhile
                        os.close(fd)
                elif isinstance(asked, mux.NewSession):
                    self._new_session(asked)
                elif asked.kind == mux.ALIVE:
                    self._send(mux.is_alive(asked.request, os.getpid()))
                else:
                    self._send(mux.failure(asked.request, mux.REFUSED[asked.kind]))
        except (mux.MuxError, OSError):
            self.close()

    def _new_session(self, asked: mux.NewSession) -> None:
        streams = taken_over(asked.fds)
        why = mux.refusal(asked, self._terminals) if self.job is None else "one session a connection"
        if not self._is_up():
            why = f"{self.host} is not up in the session"
        if why or len(streams) < len(asked.fds):
            for stream in streams:
                stream.close()
            self._send(mux.failure(asked.request, why or "mpboot can't use the descriptors that came"))
            return
        self._stdin = streams[0]
        for number, stream in zip((STDOUT, STDERR), streams[1:]):
            self._sinks[number] = Sink(
                self._loop, stream, lambda number=number: self._unread(number), self._eased  # type: ignore[misc]
            )  # fmt: skip
        login = asking.login(asked, self._stdin.fd)
        self._size = login.size
        self.argv += [login.what] if login.what else []
        self.job = self._jobs.prepare(login.words(), asked.env, [self._rank], self, stdin=True, login=True)
        self._connects = asked.request if asked.host else None
        self._told_begun(self)
        self._jobs.begin(self.job)
        if not asked.host:
            self._opened(asked.request)

    def _opened(self, request: int) -> None:
        """What was asked for is there: its input may come."""
        self._send(mux.opened(request, SESSION))
        job, stdin = self.job, self._stdin
        if job is not None and stdin is not None and self.open:
            self._input = Input(
                self._loop, stdin.fd, lambda: job.room, self._typed, lambda _: self._typed(b""), self._read
            )
            self._input.go_on()

    def _read(self, most: int) -> bytes:
        """What has come; but what is typed for the foreground is not ours while ssh is in the background."""
        assert self._stdin is not None
        if self._stdin.is_terminal and terminal.is_in_background(self._stdin.fd, self.pid):
            self._loop.forget(self._stdin.fd)
            self._loop.later(BACKGROUND, lambda: self.wants(0))
            raise BlockingIOError
        return self._stdin.read(most)

    def _about_connection(self, data: bytes) -> None:
        """The host has connected to another, or says why it can't."""
        if data == CONNECTED and self._connects is not None:
            request, self._connects = self._connects, None
            self._opened(request)
        elif len(self._why_not) < MOST_SAID:
            self._why_not += data[:MOST_SAID].decode("utf-8", "replace")

    def _typed(self, data: bytes) -> None:
        if self.job is None or not self.job.left:
            return
        if data:
            self._jobs.feed(self.job, data)
        else:
            self._has_all_input = True
            self._jobs.feed_end(self.job)

    # -- what the tree says ------------------------------------------------------------------------

    def output(self, _: int, stream: int, data: bytes) -> None:
        """A piece of output."""
        if stream == STDERR and self._connects is not None:
            self._about_connection(data)
            return
        sink = self._sinks.get(stream)
        if sink is not None:
            sink.put(data)
            if sink.waiting > FULL and self.job is not None:
                self._jobs.hold(self.job, True)

    def noted(self, _: int, text: str) -> None:
        """There is more to say of an end there: what is left in the background is nobody's business, as with ssh."""
        self._is_cut = self._is_cut or text == GAP  # of this job's input or of another's there

    def wants(self, _: int) -> None:
        """There is room for more of its input."""
        if self._input is not None:
            self._input.go_on()

    def ended(self, _: int, end: End) -> None:
        """It has ended on the host."""
        self._end = end

    def over(self) -> None:
        """It has ended, and all its output has come."""
        self._told_over(self)
        if not self.open or self._end is None:
            return
        if self._input is not None:
            self._input.close()
        lost = next((sink.lost for sink in self._sinks.values() if sink.lost), "")
        why = asking.why_not_whole(self._end, self._is_cut, self._has_all_input, lost)
        self._whole = not why
        if self._connects is not None:
            self._send(mux.failure(self._connects, printable(why or self._why_not.strip())))
        elif why and STDERR in self._sinks:
            text = printable(f"mpboot: {self.host}: {why}")
            self._sinks[STDERR].put(text.encode("utf-8", "backslashreplace") + b"\n")
        self._eased()

    # -- inside ------------------------------------------------------------------------------------

    def _unread(self, stream: int) -> None:
        """Nobody reads this stream of the client's any more."""
        if self.job is not None and self.job.left:
            self._jobs.unread(self.job, stream)

    def _eased(self) -> None:
        waiting = max((sink.waiting for sink in self._sinks.values()), default=0)
        if self.job is not None and waiting < EASED:
            self._jobs.hold(self.job, False)
        if self._end is not None and not waiting and not self._closing:
            self._closing = True
            for sink in self._sinks.values():
                sink.stream.end_writing()
            code = self._end.code
            if STDERR in self._sinks and self._whole and code is not None and code != asking.NO_CODE:
                self._send(mux.exited(SESSION, code))
            self._flush()

    def _send(self, packet: bytes) -> None:
        self._out += packet
        self._flush()

    def _flush(self) -> None:
        if not self.open:
            return
        try:
            while self._out:
                del self._out[: self._sock.send(self._out)]
        except BlockingIOError:
            self._loop.watch(self._sock.fileno(), READ | WRITE, self._ready)
            return
        except OSError:
            self.close()
            return
        if self._closing:
            self.close()
        else:
            self._loop.watch(self._sock.fileno(), READ, self._ready)
