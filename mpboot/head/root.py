"""The root's process: how it is started, what it is sent first, how it ends. What it has to say is not read here."""

from __future__ import annotations

import marshal
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

from mpboot.head.options import Options
from mpboot.head.reach import from_elsewhere, login
from mpboot.head.signals import interrupts_later
from mpboot.hosts.host import Host
from mpboot.net import messages, surroundings, wire, work
from mpboot.net.jobs import FIRST, Run
from mpboot.node import bundle
from mpboot.text import as_typed
from mpboot.tree.ledger import HEAD
from mpboot.workers import commandline
from mpboot.workers.sight import only

NO_KEY = "0" * 2 * wire.KEY_BYTES  # the root makes the hosts' keys itself: this process knows none
NAMED = re.compile(r"\{user\}(@|\s|$)")  # a place in an rsh command line where a name must stand
CALL_BACK = 2.0  # seconds that an agent tries to connect back before it falls back to rsh's stdio


class Root:
    """The process, from its start on; ``fd`` is our end of the line to it, which proves itself by ``key``."""

    def __init__(self, silence: float) -> None:
        ours, theirs = socket.socketpair()
        self.key = os.urandom(wire.KEY_BYTES)
        self._used: list[bytes] = []  # processor time so far
        with ours, theirs:
            try:
                with interrupts_later():
                    self._process = self._start(theirs.fileno(), silence)
            except KeyboardInterrupt:  # that came meanwhile
                self.end(0)
                raise
            self.fd = ours.detach()

    def works(self) -> bool | None:
        """Has it used a processor since the last question, or does it wait for one? None where nobody can tell."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return None
        state, used = fields[0], fields[11:13]  # in user mode and in the kernel
        before, self._used = self._used, used
        return state in (b"R", b"D") or used != before

    def end(self, grace: float) -> None:
        """It has ``grace`` seconds to end by itself."""
        try:
            self._process.wait(grace)
        except BaseException as error:  # a second Ctrl-C, too
            self._process.kill()
            self._process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise

    def _start(self, fd: int, silence: float) -> subprocess.Popen[bytes]:
        common = messages.agent_common((), [[HEAD, os.getpid()]], silence, fd=fd)
        own = work.agent_own(0, HEAD, "head", "", self.key, ())
        payload = marshal.dumps((*bundle.kit(), common, own), 2)
        reads, writes = os.pipe()  # subprocess's own would be left open, up to Python 3.11, where there is no third
        left = memoryview(b"%x\n" % len(payload) + payload)
        with os.fdopen(writes, "wb", buffering=0) as code:
            # Nearly always all of it has room. What is there is read also where this process is killed next.
            os.set_blocking(writes, False)
            left = left[code.write(left) or 0 :]
            os.set_blocking(writes, True)
            with os.fdopen(reads, "rb", buffering=0) as stdin:
                process = subprocess.Popen(
                    [sys.executable, *commandline.ISOLATED, "-c", commandline.BOOTSTRAP],
                    stdin=stdin,
                    stdout=subprocess.DEVNULL,
                    env=surroundings.environment(os.environb),
                    pass_fds=[fd],
                    start_new_session=True,
                )
            try:
                while left:
                    left = left[code.write(left) :]
            except BaseException:
                process.kill()  # before it reads that there is no more, and complains
                process.wait()
                raise
        return process


def first_messages(
    hosts: Sequence[Host], options: Options, start: float, waits: bool = False
) -> Iterator[wire.Message]:
    """What the root gets when it has said HELLO: the code, the command, all hosts in one share.

    ``start``: when the boot began, on the monotonic clock; ``waits``: the command is to begin later.
    """
    for name in ("agent", "parent"):
        yield wire.CODE, bundle.pack(name)
    if options.command and not waits:
        yield wire.RUN, _command(options, len(hosts))
    yield wire.SHARE, share(list(enumerate(hosts)), options, start, waits=waits)


def _command(options: Options, size: int) -> bytes:
    """The command for every host but the root, which only passes it on."""
    order = Run(FIRST, words(options), variables(options, size), False)
    order.cwd, order.limit = as_typed(options.cwd), options.command_timeout
    return order.pack()


def words(options: Options) -> list[str]:
    """The words of the command, as they travel."""
    return [as_typed(word) for word in options.command]


def variables(options: Options, size: int) -> list[tuple[str, str]]:
    """The variables that it gets beside the host's own; ``size``: how many hosts there are."""
    return [*((name, as_typed(value)) for name, value in options.env), ("MPBOOT_SIZE", str(size))]


def share(
    hosts: Sequence[tuple[int, Host]], options: Options, start: float, late: bool = False, waits: bool = False
) -> bytes:
    """SHARE: hosts to boot, by rank. ``late``: they come to a kept tree, and do not run the boot's command."""
    boot = messages.BootSettings(
        options.topology, options.children, options.timeout, options.retries, options.wait_for, options.rsh,
        commandline.rsh_words(options.rsh), options.transport, options.shell_probe, options.attach, CALL_BACK,
        bool(options.command) and not waits, options.verbose, _where_psutil_is(), options.python,
    )  # fmt: skip
    user = options.user or (login() if NAMED.search(options.rsh) else None)
    orders = [
        messages.HostOrder(
            rank, host.label, host.name, host.user or user, host.port, 0, host.schedule and not late,
            NO_KEY, host.python, afar,
        )
        for (rank, host), afar in zip(hosts, from_elsewhere([host for _, host in hosts], options))
    ]  # fmt: skip
    return messages.Share(boot, 0, monotonic() - start, 0.0, [([], len(orders))] if orders else [], orders).pack()


def _where_psutil_is() -> list[str]:
    """The directory that holds psutil here, for the root, which runs without site directories.

    Only where packages are installed: not the working directory, nor what variables of the environment name.
    """
    owners = _owners()
    return [place for place in _places() if all(only(owners, one) for one in (place, f"{place}/psutil"))][:1]


def psutil_left_out() -> str:
    """What to do where a psutil is installed and not used, since others can write to it; or an empty string."""
    for place in _places():
        if Path(place, "psutil").is_dir():
            wide = [one for one in (place, f"{place}/psutil") if not only(_owners(), one)]
            return (
                f"others can write to {wide[0]}, so its psutil is not used: chmod go-w {' '.join(wide)}" if wide else ""
            )
    return ""


def _owners() -> set[int]:
    """Who may write to what is loaded here."""
    return {0, os.geteuid(), Path(os.__file__).stat().st_uid}


def _places() -> list[str]:
    """Where packages are installed."""
    import site
    import sysconfig

    places = [sysconfig.get_path("platlib"), sysconfig.get_path("purelib"), *site.getsitepackages()]
    if site.ENABLE_USER_SITE and "PYTHONUSERBASE" not in os.environ:
        places.append(site.getusersitepackages())
    return places
