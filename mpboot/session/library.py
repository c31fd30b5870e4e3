"""The library's face of sessions: ``session`` begins one, ``attach`` finds one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from mpboot.head.observer import Observer
from mpboot.head.options import Options
from mpboot.hosts.chosen import chosen
from mpboot.hosts.host import Host
from mpboot.session.connection import Connection
from mpboot.session.handle import Session
from mpboot.session.registry import DEFAULT, SessionError
from mpboot.session.start import KeptBoot


def session(
    hosts: Iterable[Host | str] | str,
    *,
    name: str = DEFAULT,
    observer: Observer | None = None,
    idle_timeout: float = 0.0,
    rejoin: bool = False,
    **options: Any,
) -> Session:
    """Boot agents on ``hosts`` and keep them: as ``boot``, but the tree stays until it is halted.

    ``idle_timeout``: seconds without use after which it ends by itself, 0 for never; ``rejoin``: hosts that are lost
    are tried again. The ``report`` says what came up. SessionError for a name that is taken, or (with a ``report``) if
    no host came up (without ``rejoin``) or the boot was ended. ValueError for options or hosts that make no sense.
    """
    boot = KeptBoot(
        chosen(hosts, os.environ), Options(**options), observer or Observer(), name=name, idle_timeout=idle_timeout,
        rejoin=rejoin,
    )  # fmt: skip
    report = boot.run()
    if not boot.kept:
        raise SessionError(f"session {name} has not begun: {report.summary()}", report=report)
    return Session(name, report)


def attach(name: str = DEFAULT) -> Session:
    """A session that is there. SessionError if it is not."""
    Connection(name).close()
    return Session(name)
