"""A job's messages as a host takes and tells them: RUN and EXIT, without the records that a parent has for the same.

A job is one command on some hosts, and has a number; that of a boot's command is 1.
"""

from __future__ import annotations

from mpboot.net.fields import whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Optional, Sequence, Tuple

    Exited = Tuple[int, int, Optional[int], int]  # rank, job, exit code, mpboot's signal: see commands.Exit

FIRST = 1  # the job that is a boot's own command
NUMBER = 4  # bytes of each number
SURE = "surrogateescape"  # words are bytes, whatever they were meant to be


class Run:
    """RUN: a job; ``here``: false on a host that only passes it on.

    Its body: the job's number, ``here``, how many words there are; each word and variable ("NAME=value") behind its
    length. A leaf has no JSON.
    """

    __slots__ = ("argv", "env", "here", "job")

    def __init__(self, job: int, argv: Sequence[str], env: Sequence[Tuple[str, str]], here: bool) -> None:
        self.job = job
        self.argv = list(argv)
        self.env = list(env)
        self.here = here

    def pack(self) -> bytes:
        """The order as a body."""
        words = [text.encode("utf-8", SURE) for text in (*self.argv, *("%s=%s" % pair for pair in self.env))]
        head = [_packed(self.job), _packed(self.here), _packed(len(self.argv))]
        return b"".join([*head, *(_packed(len(word)) + word for word in words)])

    @classmethod
    def unpack(cls, body: bytes) -> Run:
        """The order in a body. ValueError."""
        job, here, count = [int.from_bytes(body[at : at + NUMBER], "big") for at in range(0, 3 * NUMBER, NUMBER)]
        texts, at = [], 3 * NUMBER
        while at < len(body):
            start = at + NUMBER
            at = start + int.from_bytes(body[at:start], "big")
            texts.append(body[start:at].decode("utf-8", SURE))
        if at != len(body) or len(texts) < count:
            raise ValueError("an order that is cut")
        variables = [text.partition("=") for text in texts[count:]]
        env = [(name, value) for name, equals, value in variables if equals]
        if len(env) < len(variables):
            raise ValueError("a variable without a value")
        return cls(whole(job, 1), texts[:count], env, bool(whole(here, 0, 1)))


def _packed(value: int) -> bytes:
    return value.to_bytes(NUMBER, "big")


def pack_exits(exits: Iterable[Exited]) -> bytes:
    """EXIT's body, as commands.Exit.unpack_all takes it."""
    rows = ["[%d,%d,%s,%d]" % (rank, job, "null" if code is None else code, by) for rank, job, code, by in exits]
    return ("[%s]" % ",".join(rows)).encode("ascii")
