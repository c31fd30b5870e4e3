"""What a child says: unpacked, believed of what is in its care, told to the state, passed on."""

from __future__ import annotations

from mpboot.net import messages, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Iterable

    from mpboot.node.news import News
    from mpboot.node.offspring import Offspring
    from mpboot.node.supply import PsutilSupply
    from mpboot.node.uplink import Uplink
    from mpboot.node.verdicts import Verdicts
    from mpboot.tree.orders import Order
    from mpboot.tree.state import BootState


class FromChild:
    """Takes the messages of one node's children; ``do`` carries out the orders that follow."""

    def __init__(
        self,
        state: BootState,
        news: News,
        uplink: Uplink,
        psutil: PsutilSupply,
        verdicts: Verdicts,
        do: Callable[[Iterable[Order]], None],
    ) -> None:
        self._state = state
        self._news = news
        self._uplink = uplink
        self._psutil = psutil
        self._verdicts = verdicts
        self._do = do

    def handlers(self) -> Dict[int, Callable[[Offspring, bytes], None]]:
        """What a child may say, by kind: each raises ValueError for what makes no sense."""
        return {
            wire.PONG: lambda _child, _body: None,
            wire.OUT: lambda child, body: self._uplink.outlet.put(body, child.credits),
            wire.EXIT: lambda _, body: self._uplink.tell_exits(messages.Exit.unpack_all(body)),
            wire.WANT: lambda child, body: self._psutil.wanted(child.link, messages.Want.unpack(body)),
            wire.LOG: lambda _, body: self._uplink.send(wire.LOG, body),
            wire.TOLD: lambda _, body: self._uplink.send(wire.TOLD, messages.UnderWay.unpack(body).pack()),
            wire.NOTE: lambda _, body: self._uplink.send(wire.NOTE, messages.Note.unpack(body).pack()),
            wire.LAUNCHED: self._launched,
            wire.UP: self._up,
            wire.FAILED: self._failed,
            wire.RETURN: self._returned,
            wire.DONE: lambda child, body: self._do(self._state.child_done(child.rank, messages.number(body))),
        }

    def _launched(self, child: Offspring, body: bytes) -> None:
        more = messages.Launched.unpack(body)
        self._news.count(more.launched, more.strangers)
        self._do(self._state.child_launched(child.rank, more.launched))

    def _up(self, child: Offspring, body: bytes) -> None:
        for record in messages.Up.unpack_all(body):
            if self._state.believes(child.rank, record.rank, failed=False):
                self._do(self._state.child_up(child.rank, record.rank))
                self._news.up(record)

    def _failed(self, child: Offspring, body: bytes) -> None:
        for record in messages.Failed.unpack_all(body):
            if self._state.believes(child.rank, record.rank, failed=True):
                self._do(self._state.child_failed(child.rank, record.rank))
                self._news.failed(record)

    def _returned(self, child: Offspring, body: bytes) -> None:
        said = messages.Returned.unpack(body)
        for host in said.hosts:
            self._verdicts.take_back(host)
        attempts = {host.rank: host.attempts for host in said.hosts}
        self._do(self._state.child_returned(child.rank, attempts, said.tried, said.disabled))
