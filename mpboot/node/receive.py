"""Receiving files on a host: a process of its own, which takes blocks from others and passes on what it has.

It is told on its standard input what there is to have, and from whom; each frame is 4 bytes length and JSON. It says on
its standard output, a line of JSON each: where it listens, what it has got, that it is done or has failed. It goes on
serving others until its input ends.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import errno
import posix
import sys
from time import monotonic

from mpboot.net import files, plain
from mpboot.net.fields import each, record, row, text, whole
from mpboot.net.loop import READ, Loop
from mpboot.node.address import listen, own_addresses
from mpboot.node.blocks import Server
from mpboot.node.placing import Placing
from mpboot.node.pull import Pull
from mpboot.node.target import Refused, cause_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, NoReturn, Optional, Tuple

LENGTH = 4  # bytes
MOST = 1 << 30  # bytes of a frame
TELL = 0.5  # seconds between two words of progress, where hosts are few
TELLERS = 50  # hosts whose words in a second the head can hear beside its work
BEAT = 3.0  # seconds after which it says at least that it lives


class Ended(Exception):
    """TERM or the like came."""


class Receive:
    """One push, on one host."""

    def __init__(self, label: str, plan: files.Plan) -> None:
        self._label = label
        self._plan = plan
        self._got = 0
        self._told = monotonic()
        self._pause = TELL
        self._failed = False
        self._more = bytearray()  # of a frame that is not complete
        self._pull: Optional[Pull] = None
        self._loop = Loop()
        self._placing = Placing(plan, self._still)
        self._wanted = self._placing.wanted

    def inline(self) -> None:
        """All blocks follow on standard input."""
        wanted = set(self._wanted)
        digest = files.hashing(self._plan.hash)
        for number in range(self._placing.blocks.count):
            if self._plan.digest_of(number) == files.HOLE:
                continue
            size = self._placing.blocks.place(number)[2]
            data = _exactly(size)
            if number in wanted:
                if digest(data) != self._plan.digest_of(number):
                    raise Refused(files.CHANGED, "it changed while it was sent")
                self._take(number, memoryview(data))
        self._placing.finish()
        _tell(done=self._got)

    def from_others(self) -> None:
        """Blocks come from others, and go to others."""
        families = [_socket.AF_INET, _socket.AF_INET6]
        server = Server(self._loop, listen(256), self._plan.key, self._placing.blocks)
        port = server.port
        _tell(port=port, addresses=own_addresses(families, True), needs=len(self._wanted))
        order = record(
            read_frame(),
            {
                "order": lambda value: each(value, _host),
                "head": files.where_of,
                "chains": lambda value: whole(value, 1),
            },
        )
        wheres = files.upstream(order["order"], self._label, order["head"], order["chains"])
        self._pause = min(BEAT, max(TELL, len(order["order"]) / TELLERS))
        self._server = server
        self._pull = Pull(
            self._loop, wheres, self._plan.key, self._wanted, self._placing.blocks, self._pulled, self._all_pulled,
            files.hashing(self._plan.hash), self._plan.digest_of,
        )  # fmt: skip
        self._loop.watch(0, READ, lambda _: self._told_more())
        self._beat()
        self._loop.run()
        if not self._failed:
            server.close()

    # -- inside ------------------------------------------------------------------------------------

    def _still(self) -> None:
        """It works, and has nothing to say for long."""
        self._say(BEAT)

    def _beat(self) -> None:
        self._loop.later(BEAT, self._beat)
        self._still()

    def _pulled(self, number: int, data: memoryview) -> None:
        try:
            self._take(number, data)
        except (OSError, Refused) as error:
            self._fail(*cause_of(error))
            return
        self._server.wake()

    def _take(self, number: int, data: memoryview) -> None:
        self._placing.put(number, data)
        self._got += len(data)
        self._say(self._pause)

    def _say(self, pause: float) -> None:
        """Say how far it is, if that was not said for so long."""
        if monotonic() - self._told >= pause:
            self._told = monotonic()
            _tell(got=self._got, of=self._pull.of if self._pull is not None else "")

    def _all_pulled(self, why: str) -> None:
        if self._failed:
            return  # the last block was there, and could not be written
        if why:
            self._fail(files.UNREACHABLE, why)
            return
        try:
            self._placing.finish()
        except (OSError, Refused) as error:
            self._fail(*cause_of(error))
            return
        _tell(done=self._got)

    def _fail(self, cause: str, detail: str) -> None:
        self._failed = True
        if self._pull is not None:
            self._pull.close()
        self._server.close()  # whoever waits for more of it asks another at once
        self._placing.clear()
        _tell(failed=cause, detail=detail)

    def _told_more(self) -> None:
        """A part of a frame that says whom to leave has come, or the end. ValueError."""
        data = posix.read(0, 1 << 16)
        if not data:
            self._loop.stop()
        self._more += data
        while len(self._more) >= LENGTH:
            end = LENGTH + int.from_bytes(self._more[:LENGTH], "big")
            if end > MOST or len(self._more) < end:
                break
            told = record(plain.loads(bytes(self._more[LENGTH:end])), {"leave": lambda value: each(value, _leave)})
            del self._more[:end]
            for host, name in told["leave"]:
                if host == self._label and self._pull is not None:
                    self._pull.leave(name)

    def clear(self) -> None:
        """Leave nothing that is not complete."""
        self._placing.clear()


def receive(label: str) -> NoReturn:
    """Be the process; what to do comes on standard input."""

    ends = (_signal.SIGTERM, _signal.SIGHUP, _signal.SIGINT)

    def end(*_: Any) -> None:
        for number in ends:  # one is enough: a second must not keep it from leaving nothing
            _signal.signal(number, _signal.SIG_IGN)
        raise Ended

    for number in ends:
        _signal.signal(number, end)
    for number in (_signal.SIGXFSZ, _signal.SIGPIPE):  # these are to be errors like any other
        _signal.signal(number, _signal.SIG_IGN)
    made = None
    code = 1
    try:
        made = Receive(label, files.Plan.of(read_frame()))
        if made._plan.inline:
            made.inline()
        else:
            made.from_others()
        code = 0
    except Ended:
        _tell(failed=files.INTERRUPTED, detail="a signal ended it")
    except EOFError:
        _tell(failed=files.INTERRUPTED, detail="what it was to get was cut")
    except (OSError, Refused) as error:
        cause, detail = cause_of(error)
        _tell(failed=cause, detail=detail)
    except (ValueError, MemoryError) as error:
        _tell(failed=files.UNSUPPORTED, detail="it can't be had here: %s" % (error or "no memory"))
    finally:
        if made is not None:
            made.clear()
    sys.stdout.flush()
    posix._exit(code)


def _host(value: Any) -> Any:
    label, where = row(value, 2)
    return text(label, 1 << 10), files.where_of(where)


def _leave(value: Any) -> Tuple[str, str]:
    host, name = row(value, 2)
    return text(host, 1 << 10), text(name, 1 << 10)


def _exactly(size: int) -> bytearray:
    found = bytearray()
    while len(found) < size:
        data = posix.read(0, min(size - len(found), 1 << 20))
        if not data:
            raise EOFError
        found += data
    return found


def read_frame() -> Dict[str, Any]:
    """An object that comes on standard input, behind its length. EOFError, Refused, ValueError."""
    size = int.from_bytes(_exactly(LENGTH), "big")
    if size > MOST:
        raise Refused(files.UNSUPPORTED, "too much at once")
    found: Dict[str, Any] = plain.loads(bytes(_exactly(size)))
    return found


def _tell(**told: Any) -> None:
    line = plain.dumps(told) + b"\n"
    at: List[int] = [0]
    try:
        while at[0] < len(line):
            at[0] += posix.write(1, line[at[0] :])
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
