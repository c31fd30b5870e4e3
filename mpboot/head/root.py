"""The root's process: how it is started, what it is sent first, how it ends. What it has to say is not read here."""

from __future__ import annotations

import json
import marshal
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from mpboot.head.options import Options
from mpboot.hosts.host import Host
from mpboot.net import wire
from mpboot.node import bundle
from mpboot.tree.ledger import HEAD
from mpboot.workers import commandline

CALL_BACK = 2.0  # seconds that an agent tries to connect back before it falls back to rsh's stdio


class Root:
    """The process, from its start on; ``fd`` is our end of the line to it, which proves itself by ``secret``."""

    def __init__(self, silence: float) -> None:
        ours, theirs = socket.socketpair()
        self.secret = os.urandom(wire.SECRET_BYTES)
        with theirs:
            self._process = self._start(theirs.fileno(), silence)
        self.fd = ours.detach()

    def end(self, grace: float) -> None:
        """It has ``grace`` seconds to end by itself."""
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self, fd: int, silence: float) -> subprocess.Popen[bytes]:
        config: dict[str, Any] = {
            "id": 0, "rank": HEAD, "host": "head", "fd": fd, "secret": self.secret, "routes": (), "lineage": (),
            "silence": silence,
        }  # fmt: skip
        payload = marshal.dumps((*bundle.kit(), config), 2)
        process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", commandline.BOOTSTRAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[fd],
            start_new_session=True,
        )
        assert process.stdin is not None
        with process.stdin:
            process.stdin.write(b"%x\n" % len(payload) + payload)
        return process


def first_messages(hosts: Sequence[Host], options: Options, start: float) -> Iterator[wire.Message]:
    """What the root gets when it has said HELLO: the code, the command, all hosts in one share.

    ``start``: when the boot began, on the monotonic clock.
    """
    for name in ("agent", "parent"):
        yield wire.CODE, bundle.pack(name)
    if options.command:
        yield wire.RUN, _command(options, len(hosts))
    yield wire.SHARE, _share(hosts, options, start)


def _command(options: Options, size: int) -> bytes:
    """The command for every host but the root, which only passes it on."""
    order = {"argv": list(options.command), "env": {"MPBOOT_SIZE": str(size)}, "here": False}
    return json.dumps(order).encode()


def _share(hosts: Sequence[Host], options: Options, start: float) -> bytes:
    boot = {
        "topology": options.topology, "children": options.children, "timeout": options.timeout,
        "retries": options.retries, "wait_for": options.wait_for, "rsh": options.rsh,
        "rsh_words": commandline.rsh_words(options.rsh),
        "transport": options.transport, "shell_probe": options.shell_probe, "attach": options.attach,
        "budget": CALL_BACK,
        "command": bool(options.command), "verbose": options.verbose, "psutil": _where_psutil_is(),
    }  # fmt: skip
    items = [
        [rank, host.label, host.name, host.user or options.user, host.port, 0, host.schedule]
        for rank, host in enumerate(hosts)
    ]
    share = {"boot": boot, "level": 0, "clock": monotonic() - start, "hosts": items}
    return json.dumps(share).encode()


def _where_psutil_is() -> list[str]:
    """The directory that holds psutil here, for the root, which runs without site directories."""
    from importlib.util import find_spec

    spec = find_spec("psutil")
    return [str(Path(spec.origin).parent.parent)] if spec is not None and spec.origin else []
