"""A job's messages as a host takes and tells them: RUN, SIGNAL, STDIN, EXIT; without the records that a parent has.

A job is one command on some hosts, and has a number; that of a boot's command is 1.
"""

from __future__ import annotations

from mpboot.net.fields import whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Optional, Sequence, Tuple

    # Rank, job, exit code, mpboot's signal, seconds, bytes of output: see commands.Exit.
    Exited = Tuple[int, int, Optional[int], int, float, int]

FIRST = 1  # the job that is a boot's own command
NUMBER = 4  # bytes of each number
SURE = "surrogateescape"  # words are bytes, whatever they were meant to be
_HERE, _STDIN, _CWD, _AGAIN, _LOGIN = 1, 2, 4, 8, 16  # flags of RUN
_NUMBERS = 5  # at the start of RUN
GAP = "its standard input was cut: an agent that passed it on has died"  # a note
STDIN_WINDOW = 1 << 18  # bytes of a job's stdin that a node may have on their way to one child


class Run:
    """RUN: a job; ``here``: false on a host that only passes it on.

    ``oldest``: jobs with a smaller number, but the first, have ended everywhere. ``cwd``: the directory to run in, or
    ""; ``limit``: seconds after which the command is ended, or 0; ``stdin``: it gets a standard input, by STDIN;
    ``again``: it may have got this before, and perhaps not all that came for it; ``login``: the words are those of an
    ssh login, see login.py.

    Its body: job, flags, oldest, limit (in ms), how many words there are; each word, the directory if there is one, and
    each variable ("NAME=value") behind its length. A leaf has no JSON.
    """

    __slots__ = ("again", "argv", "cwd", "env", "here", "job", "limit", "login", "oldest", "stdin")

    def __init__(
        self,
        job: int,
        argv: Sequence[str],
        env: Sequence[Tuple[str, str]],
        here: bool,
        oldest: int = FIRST,
        cwd: str = "",
        limit: float = 0.0,
        stdin: bool = False,
        again: bool = False,
        login: bool = False,
    ) -> None:
        self.job = job
        self.argv = list(argv)
        self.env = list(env)
        self.here = here
        self.oldest = oldest
        self.cwd = cwd
        self.limit = limit
        self.stdin = stdin
        self.again = again
        self.login = login

    def pack(self) -> bytes:
        """The order as a body."""
        texts = [*self.argv, *([self.cwd] if self.cwd else ()), *("%s=%s" % pair for pair in self.env)]
        words = [text.encode("utf-8", SURE) for text in texts]
        flags = _HERE * self.here + _STDIN * self.stdin + _CWD * bool(self.cwd) + _AGAIN * self.again
        flags += _LOGIN * self.login
        numbers = (self.job, flags, self.oldest, max(int(self.limit * 1000 + 0.5), self.limit > 0), len(self.argv))
        return b"".join([*map(packed, numbers), *(packed(len(word)) + word for word in words)])

    @classmethod
    def unpack(cls, body: bytes) -> Run:
        """The order in a body. ValueError."""
        job, flags, oldest, limit, count = [number_at(body, at * NUMBER) for at in range(_NUMBERS)]
        texts, at = [], _NUMBERS * NUMBER
        while at < len(body):
            start = at + NUMBER
            at = start + int.from_bytes(body[at:start], "big")
            texts.append(body[start:at].decode("utf-8", SURE))
        first = count + bool(flags & _CWD)  # of the variables
        if at != len(body) or not count or len(texts) < first or flags >= 2 * _LOGIN:
            raise ValueError("an order that is cut")
        variables = [text.partition("=") for text in texts[first:]]
        env = [(name, value) for name, equals, value in variables if equals]
        if len(env) < len(variables):
            raise ValueError("a variable without a value")
        cwd = texts[count] if flags & _CWD else ""
        here, stdin, again, login = (bool(flags & one) for one in (_HERE, _STDIN, _AGAIN, _LOGIN))
        return cls(whole(job, 1), texts[:count], env, here, whole(oldest, 1), cwd, limit / 1000, stdin, again, login)

    def on(self, here: bool, again: bool = False) -> Run:
        """The same for a host that runs it, or does not, and may have got it before."""
        return Run(
            self.job, self.argv, self.env, here, self.oldest, self.cwd, self.limit, self.stdin, again, self.login
        )


def packed(value: int) -> bytes:
    """A number as it stands in a body."""
    return value.to_bytes(NUMBER, "big")


def number_at(body: bytes, at: int) -> int:
    """The number that stands there. ValueError if the body ends before."""
    if len(body) < at + NUMBER:
        raise ValueError("too short")
    return int.from_bytes(body[at : at + NUMBER], "big")


def job_of(body: bytes) -> int:
    """The job that a RUN, SIGNAL, STDIN, HOLD or TAKEN is about. ValueError."""
    return whole(number_at(body, 0), 1)


def pack_signal(job: int, number: int, last: bool) -> bytes:
    """SIGNAL: a signal for a job's processes; ``last``: what is left a little later is killed."""
    return packed(job) + bytes((number, last))


def unpack_signal(body: bytes) -> Tuple[int, bool]:
    """Its number, and whether it is the last. ValueError."""
    if len(body) != NUMBER + 2 or body[NUMBER + 1] > 1:
        raise ValueError("no signal")
    return whole(body[NUMBER], 1, 64), bool(body[NUMBER + 1])


def pack_stdin(job: int, offset: int, data: bytes) -> bytes:
    """STDIN: what stands at this offset in a job's standard input; nothing: it ends there."""
    return packed(job) + offset.to_bytes(2 * NUMBER, "big") + data


def unpack_stdin(body: bytes) -> Tuple[int, bytes]:
    """The offset and the bytes. ValueError."""
    if len(body) < 3 * NUMBER:
        raise ValueError("too short")
    return int.from_bytes(body[NUMBER : 3 * NUMBER], "big"), body[3 * NUMBER :]


HELD, LET_GO_OF = 1, 1  # values of HOLD; more than the second: the number of a stream that nobody reads, added to it


def unpack_hold(body: bytes) -> int:
    """How a job's output is held: 0 or 1, or more for a stream that nobody reads any more. ValueError."""
    if len(body) != NUMBER + 1:
        raise ValueError("neither hold nor let go")
    return whole(body[NUMBER], 0, LET_GO_OF + 2)


def pack_exits(exits: Iterable[Exited]) -> bytes:
    """EXIT's body, as commands.Exit.unpack_all takes it."""
    rows = [
        "[%d,%d,%s,%d,%.4f,%d]" % (rank, job, "null" if code is None else code, by, seconds, sent)
        for rank, job, code, by, seconds, sent in exits
    ]
    return ("[%s]" % ",".join(rows)).encode("ascii")
