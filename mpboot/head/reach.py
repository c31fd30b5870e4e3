"""How the hosts are reached from elsewhere than the head: as the head itself would reach them, or by the head alone.

What the head's ssh would do is asked of ssh itself: not for every host, but once for all to which the same lines of its
configuration apply.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from time import monotonic

from mpboot.head.options import Options
from mpboot.hosts.addresses import Addresses, literal
from mpboot.hosts.host import Host
from mpboot.hosts.sshconfig import Lines, Settings, files_read
from mpboot.hosts.syntax import NAME
from mpboot.net.messages import Afar
from mpboot.tree.policy import Policy
from mpboot.workers import commandline

ALONE = Afar(True, None, None, None)
PATIENCE = 3.0  # seconds for ssh to answer all that it is asked
AT_ONCE = 4  # processes of ssh that are asked
# How often ssh is asked at most: some, or for one host in ten. Each time takes as long as a tenth of a launch.
SOME, ONE_IN = 32, 10
SYSTEM = "/etc/ssh/ssh_config"


def from_elsewhere(hosts: Sequence[Host], options: Options) -> list[Afar | None]:
    """What other hosts have to know of each, None where that is nothing."""
    if options.rsh == commandline.LOCAL or len(hosts) < 2 or not Policy(options.topology).shares:
        return [None] * len(hosts)
    known = Addresses()
    words = commandline.rsh_words(options.rsh)
    found: list[Afar | None] = [None] * len(hosts)
    is_rsh = words[0].rpartition("/")[2] == "rsh"
    # Where no agent runs as another user, rsh need not be told: what is called so may not know of "-l".
    if commandline.is_ssh(options.rsh) or (is_rsh and any(host.user for host in hosts)):
        ours = login()
        found = [Afar(False, ours, None, None) if ours and not (host.user or options.user) else None for host in hosts]
    if commandline.is_ssh(options.rsh):
        found = _Asking(hosts, options.user, commandline.before_host(words), known).answers(found)
    return [ALONE if known.only_here(host.name) else afar for host, afar in zip(hosts, found)]


def login() -> str | None:
    """The user as whom ssh and rsh log in by themselves; None where this user has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None


class _Asking:
    """Asks ssh about hosts; ``words``: its command line, up to where the host would stand."""

    def __init__(self, hosts: Sequence[Host], user: str | None, words: Sequence[str], known: Addresses) -> None:
        self._hosts = hosts
        self._user = user
        self._words = words
        self._known = known
        self._until = monotonic() + PATIENCE

    def answers(self, before: list[Afar | None]) -> list[Afar | None]:
        """What is to be known of each host: as ``before`` where no setting of ssh's speaks of any."""
        sample = self._hosts[0].name
        said = self._ask([["-v", "-G", "--", sample]])[0]
        try:
            files = files_read(said[1])
            lines = Lines(files)
        except OSError:
            return before
        if not lines.matter:
            return before
        groups: dict[tuple[object, ...], list[int]] = {}
        for rank, host in enumerate(self._hosts):
            key = (lines.group(host.name), host.user or self._user, host.port)
            groups.setdefault(key, []).append(rank)
        asked = list(groups.values())[: max(SOME, len(self._hosts) // ONE_IN)]
        # The options of --rsh travel, and what the system's own configuration says is so on every host.
        plain = [["-F", "none", "-G", "--", sample]]
        plain += [["-F", SYSTEM, "-G", "--", sample]] if SYSTEM in files else []
        told = [_settings(out) for out, _ in self._ask([*plain, *(self._question(ranks[0]) for ranks in asked)])]
        proxies = {one.proxy for one in told[: len(plain)] if one is not None} | {()}
        settings = told[len(plain) :]
        usual = _most_common((one.local, len(ranks)) for one, ranks in zip(settings, asked) if one is not None)
        found: list[Afar | None] = [ALONE] * len(self._hosts)
        for one, ranks in zip(settings, asked):
            if one is not None and one.proxy in proxies and one.local == usual:
                self._fill(found, ranks, one, lines)
        return found

    def _fill(self, found: list[Afar | None], ranks: list[int], one: Settings, lines: Lines) -> None:
        """Say of the hosts of a group how they are reached."""
        address = lines.address(self._hosts[ranks[0]].name, one.address, len(ranks) - 1)
        if address is None or not one.user or one.user.startswith("-"):
            return
        for rank in ranks:
            name = self._hosts[rank].name
            there = address.replace("%h", name)
            if (literal(there) or NAME.fullmatch(there)) and not self._known.only_here(there):
                found[rank] = Afar(False, one.user, one.port, there if there.lower() != name.lower() else None)

    def _question(self, rank: int) -> list[str]:
        host = self._hosts[rank]
        user = host.user or self._user
        about = [*(["-l", user] if user else []), *(["-p", str(host.port)] if host.port else [])]
        return [*about, "-G", "--", host.name]

    def _ask(self, questions: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
        """What ssh says to each on stdout and stderr; nothing where it does not in time, or there is no ssh."""
        said = []
        for at in range(0, len(questions), AT_ONCE):
            processes = [self._start(question) for question in questions[at : at + AT_ONCE]]
            said += [self._end(process) for process in processes]
        return said

    def _start(self, question: Sequence[str]) -> subprocess.Popen[str] | None:
        if monotonic() > self._until:
            return None
        try:
            return subprocess.Popen(
                [*self._words, *question], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, errors="replace", start_new_session=True,
            )  # fmt: skip
        except OSError:
            return None

    def _end(self, process: subprocess.Popen[str] | None) -> tuple[str, str]:
        if process is None:
            return "", ""
        try:
            return process.communicate(timeout=max(0.1, self._until - monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return "", ""


def _settings(said: str) -> Settings | None:
    try:
        return Settings(said)
    except ValueError:
        return None


def _most_common(found: Iterable[tuple[object, int]]) -> object:
    """What is true of most hosts; of as many, the first."""
    counts: Counter[object] = Counter()
    for value, hosts in found:
        counts[value] += hosts
    return counts.most_common(1)[0][0] if counts else None
