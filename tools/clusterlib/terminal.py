"""`tools/cluster shell`: a pseudo-terminal whose other end is the controlling terminal of a shell on a host.

Without a terminal here the shell gets plain stdio.
"""

import contextlib
import fcntl
import os
import selectors
import signal
import subprocess
import sys
import termios
import tty
from collections.abc import Sequence


def copy_size(source: int, target: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(target, termios.TIOCSWINSZ, fcntl.ioctl(source, termios.TIOCGWINSZ, b"\0" * 8))


def relay(master: int, client: "subprocess.Popen[bytes]") -> None:
    """Bytes between this terminal and the other, until that one has no user any more."""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(master, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(0.2):
                try:
                    data = os.read(key.fd, 65536)
                except OSError:  # the last user of the other end has closed it
                    return
                if not data and key.fd == 0:
                    selector.unregister(0)
                os.write(1 if key.fd == master else master, data)
            if client.poll() is not None and not selector.select(0):
                return


def run(command: Sequence[str], environment: dict[str, str]) -> int:
    """Runs the client, whose argv is given, in a terminal of its own. Returns its exit code."""
    if not sys.stdin.isatty():
        return subprocess.run(command, env=environment, check=False).returncode
    master, slave = os.openpty()
    copy_size(0, slave)
    signal.signal(signal.SIGWINCH, lambda _number, _frame: copy_size(0, master))
    before = termios.tcgetattr(0)
    client = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    try:
        tty.setraw(0, termios.TCSANOW)  # what was typed ahead is kept
        relay(master, client)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        os.close(master)
    return client.wait()
