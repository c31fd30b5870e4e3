"""Ctrl-Z, `fg`, Ctrl-\\ and a new size of the window while a display is drawn: it goes, and comes back."""

from __future__ import annotations

import os
import signal
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from mpboot.net.loop import Loop


class JobControl:
    """Has ``hide()`` called in the loop before a stop or SIGQUIT, ``show()`` when it goes on or the size changes.

    From ``begin`` to ``end``, in the main thread, and for signals that nobody has claimed. The loop must be one that a
    signal wakes (see head/signals.py).
    """

    def __init__(self, hide: Callable[[], None], show: Callable[[], None]) -> None:
        self._hide = hide
        self._show = show
        self._before: dict[signal.Signals, Any] = {}
        self._loop: Loop | None = None

    def begin(self, loop: Loop) -> None:
        """From now on."""
        if current_thread() is not main_thread():
            return
        self._loop = loop
        wanted = {
            signal.SIGTSTP: self._suspend, signal.SIGQUIT: self._quit,
            signal.SIGCONT: self._show, signal.SIGWINCH: self._show,
        }  # fmt: skip
        for number, call in wanted.items():
            if signal.getsignal(number) == signal.SIG_DFL:
                self._before[number] = signal.SIG_DFL
                self._on(number, call)

    def end(self) -> None:
        """All is as it was before."""
        self._loop = None
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _on(self, number: signal.Signals, call: Callable[[], None]) -> None:
        """A handler comes between any two steps of the program: what it does is done in the loop."""

        def came(*_: object) -> None:
            if number == signal.SIGQUIT:
                signal.signal(number, signal.SIG_DFL)  # a second one ends it at once, whatever the loop does
            if self._loop is not None:
                self._loop.soon(call)

        signal.signal(number, came)

    def _quit(self) -> None:
        """End as the signal has it."""
        self._hide()
        os.kill(os.getpid(), signal.SIGQUIT)

    def _suspend(self) -> None:
        """Stop this process as the signal would, and return when it goes on."""
        if self._loop is None:
            return
        self._hide()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        self._on(signal.SIGTSTP, self._suspend)
        self._show()
