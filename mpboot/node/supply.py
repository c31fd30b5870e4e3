"""Gets psutil for a parent that needs one and has none, and gives it to children that do."""

from __future__ import annotations

import os

from mpboot.net import messages, wire
from mpboot.net.link import SCARCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Tuple

    from mpboot.net.link import Link
    from mpboot.workers.lookout import Lookout


class PsutilSupply:
    """One node's part in it. ``directories``: where the root has its psutil; ``note(what, text)`` for the report."""

    def __init__(
        self,
        lookout: Lookout,
        send: Callable[[int, bytes], None],
        note: Callable[[str, str], None],
        is_root: bool,
        directories: List[str],
    ) -> None:
        """``send`` as Uplink.send."""
        self._lookout = lookout
        self._send = send
        self._note = note
        self._is_root = is_root
        self._directories = directories
        self._packed: Optional[bytes] = None
        self._none = False  # neither here nor above
        self._asked = False
        self._waiting: List[Tuple[Link, messages.Want]] = []

    def wanted(self, link: Link, want: messages.Want) -> None:
        """A child has none. Answer now, or when ours has come."""
        if self._packed is None and not self._none:
            try:
                self._packed = self._own()
            except SCARCE:
                link.send(wire.PSUTIL, messages.Psutil().pack())  # that child does without; the next may have more luck
                return
        if self._packed is not None or self._none:
            self._answer(link, want)
        else:
            self._waiting.append((link, want))
            self._ask()

    def take(self, body: bytes) -> None:
        """The parent's answer (see messages.Psutil). ValueError for nonsense."""
        from mpboot.node import parcel

        answer = messages.Psutil.unpack(body)
        directory = None
        if answer.digest:
            directory = parcel.kept(answer.digest)
        elif answer.packed and parcel.fits(answer.packed):
            directory = parcel.keep(answer.packed)
        if directory is None:
            self._none = True
            place = parcel.others_write() if answer.digest or answer.packed else ""
            why = " (none is kept, since others can write to %s)" % place if place else ""
            self._note("watch", "no psutil: launches from here have their timeouts alone" + why)
        else:
            self._packed = parcel.pack(directory)
            self._note("watch", "psutil came from the parent")
            self._lookout.look_in(directory)
        for link, want in self._waiting:
            self._answer(link, want)
        self._waiting.clear()

    def missing(self) -> None:
        """The watcher has found none here."""
        if self._is_root:
            self._none = True  # the root: it has all that there is
            self._note("watch", "no psutil: launches from here have their timeouts alone")
        else:
            self._ask()

    def _ask(self) -> None:
        from mpboot.node import parcel

        if not self._asked:
            self._asked = True
            self._send(wire.WANT, messages.Want(parcel.cached()).pack())

    def _own(self) -> Optional[bytes]:
        from mpboot.node import parcel
        from mpboot.workers import sight

        for directory in self._directories:
            packed = parcel.pack(directory)
            if packed is not None:
                return packed
        module = sight.psutil(self._lookout.directories)
        return parcel.pack(os.path.dirname(os.path.dirname(module.__file__))) if module is not None else None

    def _answer(self, link: Link, want: messages.Want) -> None:
        from mpboot.node import parcel

        if self._packed is None:
            answer = messages.Psutil()
        elif parcel.digest(self._packed) in want.kept:
            answer = messages.Psutil(digest=parcel.digest(self._packed))
        else:
            answer = messages.Psutil(packed=self._packed)
        link.owe(wire.PSUTIL, answer.pack())
