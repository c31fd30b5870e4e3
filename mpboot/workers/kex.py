"""Has ssh agree on a key in the cheapest way that the user's own settings allow.

OpenSSH's default exchange costs the launching machine 72 ms of processor time, curve25519 11 ms. Only the order is
changed: nothing is offered that would not have been. What travels over ssh is the secret of one boot, which is worth
nothing when that is over, so protection against tomorrow's computers is not needed here.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import posix
from select import POLLIN
from time import monotonic

from mpboot.workers.pipes import ready
from mpboot.workers.rsh import RshProcess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

CHEAP = "curve25519-sha256"
PATIENCE = 2.0  # seconds for ssh to print its settings


def cheap_exchange(words: List[str], host: str) -> List[str]:
    """Options for the ssh command line ``words`` that put the cheapest key exchange first.

    There are none if user or site have settings of their own for key exchange with ``host`` (which stands for all that
    are booted: ssh is not asked about each), or if there is no such ssh.
    """
    asked: List[RshProcess] = []
    try:
        for command in (words, [words[0], "-F", os.devnull]):  # with the settings of user and site, and without
            asked.append(RshProcess([*command, "-G", host], posix.environ))
    except OSError:
        pass  # there is no such ssh, or no room for it
    said = [_key_exchanges(ssh) for ssh in asked]
    return _options(*said) if len(said) == 2 else []


def _options(wanted: List[str], default: List[str]) -> List[str]:
    """``wanted``: what ssh would offer in this order, ``default``: what it would if nobody had any settings."""
    if wanted != default or CHEAP not in default:
        return []
    return ["-o", "KexAlgorithms=" + ",".join([CHEAP, *(one for one in default if one != CHEAP)])]


def _key_exchanges(ssh: RshProcess) -> List[str]:
    """What an ``ssh -G`` says that ssh would offer, in order; nothing if it does not say."""
    printed, until = b"", monotonic() + PATIENCE
    while ready(ssh.stdout, POLLIN, until - monotonic()):
        read = os.read(ssh.stdout, 1 << 16)
        if not read:
            break
        printed += read
    ssh.close()
    os.kill(ssh.pid, _signal.SIGKILL)  # it has said all, or never will
    os.waitpid(ssh.pid, 0)
    for line in printed.decode("ascii", "replace").splitlines():
        name, _, value = line.partition(" ")
        if name == "kexalgorithms":
            return value.split(",")
    return []
