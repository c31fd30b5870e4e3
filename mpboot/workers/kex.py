"""Asks ssh what it has settings for: has it agree on a key in the cheapest way, where the user has no wish of his own.

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

from mpboot.workers.commandline import SINCE, address_option, before_host
from mpboot.workers.pipes import ready
from mpboot.workers.rsh import RshProcess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Sequence, Tuple

    from mpboot.net.work import LaunchOrder, LaunchSettings

CHEAP = "curve25519-sha256"
PATIENCE = 2.0  # seconds for ssh to print its settings
READING = "debug1: Reading configuration data "
MOST = 4 << 20  # bytes of a file of settings that are looked at


class Wishes:
    """How the ssh of the command line ``words`` is to be called for hosts such as ``names`` (one at least).

    ``always``: options that it knows, which have it take the command that it is given. ``cheap``: those for the
    cheapest key exchange. Where user or site have settings of their own for some host, these are only for hosts of
    which ``allows`` says so, with what ssh offers if nobody has any: ``offered``.
    """

    def __init__(self, words: Sequence[str], names: Sequence[str]) -> None:
        self.always: List[str] = []
        self.cheap: List[str] = []
        self.offered: List[str] = []
        asked = before_host(words)
        questions = [[words[0], "-F", os.devnull], [*asked, "-v"]]  # without the settings of user and site, and with
        answers = _ask([[*one, "-G", names[0]] for one in questions])
        if len(answers) < 2:
            return
        (default, _), (wanted, said) = answers
        for keyword, value in SINCE.items():
            # -G does not tell of RemoteCommand; casignaturealgorithms came a year after it.
            if keyword in default or (keyword == "remotecommand" and "casignaturealgorithms" in default):
                self.always += ["-o", "%s=%s" % (keyword, value)]
        exchanges = default.get("kexalgorithms", "").split(",")
        if CHEAP not in exchanges:
            return
        mentioned = _mentioned(said)
        own = wanted.get("kexalgorithms") != default["kexalgorithms"]
        if own and not (mentioned and allows([*asked, "-G", names[-1]], exchanges)):
            return  # it is so for all, as it seems
        self.offered = exchanges if mentioned else []
        self.cheap = ["-o", "KexAlgorithms=" + ",".join([CHEAP, *(one for one in exchanges if one != CHEAP)])]


def allows(question: List[str], offered: Sequence[str]) -> bool:
    """Would the ssh of this command line (with -G) offer just what is ``offered`` where nobody has settings?"""
    answers = _ask([question])
    return bool(answers) and answers[0][0].get("kexalgorithms", "").split(",") == list(offered)


def cheap_for(settings: LaunchSettings, order: LaunchOrder) -> List[str]:
    """Options for the cheapest key exchange with one host, unless the user has a wish of his own for it: ssh knows."""
    about = address_option(order.address)
    about += ["-l", order.user] if order.user else []
    about += ["-p", str(order.port)] if order.port else []
    question = [*before_host(settings.words), *about, "-G", order.name]
    return settings.cheap if allows(question, settings.offered) else []


def _mentioned(said: str) -> bool:
    """Is there a setting for key exchange in the files that ssh has read, by what it ``said``? If unsure, there is."""
    if "OpenSSH" not in said:
        return True
    for line in said.splitlines():
        if line.startswith(READING):
            try:
                with open(line[len(READING) :].rstrip("\r"), "rb") as file:
                    if b"kexalgorithms" in file.read(MOST).lower():
                        return True
            except OSError:
                return True
    return False


def _ask(commands: Sequence[List[str]]) -> List[Tuple[Dict[str, str], str]]:
    """The settings that each ssh prints, and what it says on stderr; fewer if there is no ssh, or no room for it."""
    asked: List[RshProcess] = []
    try:
        for command in commands:
            asked.append(RshProcess(command, posix.environ))
    except OSError:
        pass
    return [_answer(ssh) for ssh in asked]


def _answer(ssh: RshProcess) -> Tuple[Dict[str, str], str]:
    printed, said, until = b"", b"", monotonic() + PATIENCE
    while ready(ssh.stdout, POLLIN, until - monotonic()):
        read = os.read(ssh.stdout, 1 << 16)
        if not read:
            break
        printed += read
    while ready(ssh.stderr, POLLIN, 0.0):
        read = os.read(ssh.stderr, 1 << 16)
        if not read:
            break
        said += read
    ssh.close()
    os.kill(ssh.pid, _signal.SIGKILL)  # it has said all, or never will
    os.waitpid(ssh.pid, 0)
    pairs = [line.partition(" ") for line in printed.decode("ascii", "replace").splitlines()]
    return {name: value for name, _, value in pairs}, said.decode("utf-8", "replace")
