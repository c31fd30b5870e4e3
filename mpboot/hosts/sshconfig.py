"""Which of ssh's settings apply to which hosts: hosts to which the same lines may apply are one group. No process here.

ssh itself is asked, once a group, what the settings come to (head/reach.py). So little of its language is read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from pathlib import Path

MOST = 4 << 20  # bytes of a file that are read
# What decides whether, where and as whom a login works. A change of any other setting is nobody's business here.
PROXY = ("proxyjump", "proxycommand")
TRAVELS = ("user", "hostname", "port")
LOCAL = (
    "addressfamily", "bindaddress", "bindinterface", "casignaturealgorithms", "certificatefile", "ciphers",
    "globalknownhostsfile", "gssapiauthentication", "hostbasedauthentication", "hostkeyalgorithms", "hostkeyalias",
    "identitiesonly", "identityagent", "identityfile", "kexalgorithms", "knownhostscommand", "macs", "pkcs11provider",
    "preferredauthentications", "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes", "pubkeyauthentication",
    "requiredrsasize", "securitykeyprovider", "stricthostkeychecking", "userknownhostsfile",
)  # fmt: skip
RELEVANT = frozenset((*PROXY, *TRAVELS, *LOCAL, "canonicalizehostname"))
_READING = re.compile(r"^debug1: Reading configuration data (.+?)\r?$", re.MULTILINE)


def files_read(said: str) -> list[str]:
    """The files that an ``ssh -v`` has read, by what it says on stderr."""
    return list(dict.fromkeys(_READING.findall(said)))


class Lines:
    """The lines of ssh's configuration files: which keywords are in them, and which patterns of host names."""

    def __init__(self, files: Iterable[str]) -> None:
        """OSError for a file that can't be read."""
        self.keywords: set[str] = set()
        self.names: list[str] = []  # what HostName is set to, %h for the name that is typed
        self.each = False  # what applies depends on more than the name's patterns: no two hosts are of one group
        self._exact: set[str] = set()
        self._wild: dict[str, re.Pattern[str]] = {}
        for path in files:
            with Path(path).open("rb") as file:
                for line in file.read(MOST).decode("utf-8", "replace").splitlines():
                    self._read(line.strip())

    def group(self, name: str) -> tuple[object, ...]:
        """A key that is equal for names to which the same lines apply."""
        found: list[object] = [name] if self.each else []
        for at, one in enumerate([name, name.lower(), *(one.replace("%h", name) for one in self.names if "%" in one)]):
            found += [(at, pattern) for pattern, regex in self._wild.items() if regex.fullmatch(one)]
            found += [(at, one)] if one in self._exact else []
        return tuple(found)

    @property
    def matter(self) -> bool:
        """Can these lines matter? Without lines for some hosts only, just User, HostName, Port and proxies can."""
        wanted = RELEVANT if self._exact or self._wild or self.each else {*PROXY, *TRAVELS}
        return not self.keywords.isdisjoint(wanted)

    def address(self, name: str, told: str, others: int) -> str | None:
        """The setting of HostName by which ssh came from ``name`` to ``told``; None if that is not clear.

        It must hold for the others of the same group as well; ``others`` is their number.
        """
        fit = {one for one in ("%h", *self.names) if one.replace("%h", name).lower() == told.lower()}
        if not others:
            return told
        return fit.pop() if len(fit) == 1 else None

    def _read(self, line: str) -> None:
        keyword, _, rest = re.sub(r"^(\w+)\s*=?\s*", r"\1 ", line).partition(" ")
        keyword, words = keyword.lower(), re.sub(r"\s#.*", "", rest.replace('"', "")).split()
        if not keyword or line.startswith("#"):
            return
        if keyword == "host":
            self._patterns(words)
        elif keyword == "match":
            self._criteria(words, rest)
        elif words:
            self.keywords.add(keyword)
            if keyword == "hostname":
                self.names.append(words[0])
            if keyword == "canonicalizehostname":
                self.each = self.each or words[0].lower() not in ("no", "none")

    def _criteria(self, words: Sequence[str], rest: str) -> None:
        if "exec" in rest.lower():
            self.each = self.each or "%" in rest
        for at, word in enumerate(words):
            criterion = word.lstrip("!").lower()
            if criterion in ("host", "originalhost"):
                self._patterns(words[at + 1 : at + 2])
            elif criterion.partition("=")[0] in ("host", "originalhost"):
                self._patterns([word.partition("=")[2]])

    def _patterns(self, words: Iterable[str]) -> None:
        for pattern in (one.lstrip("!") for word in words for one in word.split(",")):
            if not set(pattern) & set("*?"):
                self._exact |= {pattern, pattern.lower()}
            elif pattern != "*":
                for one in {pattern, pattern.lower()}:
                    self._wild[one] = re.compile(translate(one.replace("[", "[[]")))


class Settings:
    """What ``ssh -G`` says that ssh would do for a host."""

    def __init__(self, said: str) -> None:
        """ValueError if ``said`` is no answer of ``ssh -G``."""
        found: dict[str, list[str]] = {}
        for line in said.splitlines():
            keyword, _, value = line.partition(" ")
            found.setdefault(keyword.lower(), []).append(value)
        try:
            self.user, self.address, port = (found[one][0] for one in TRAVELS)
            self.port = int(port)
        except (KeyError, ValueError):
            raise ValueError("no settings of ssh's") from None
        self.proxy = tuple(value for one in PROXY for value in found.get(one, ()) if value.lower() != "none")
        self.local = tuple((one, *found.get(one, ())) for one in LOCAL)
