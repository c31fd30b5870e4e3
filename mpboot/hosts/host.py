"""What a host is."""

from __future__ import annotations

from dataclasses import dataclass

from mpboot.clientline import PYTHON, PYTHON_RULE
from mpboot.text import printable, shown


class HostError(ValueError):
    """Hosts that cannot be used. `str()` is one printable line that says where, what, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def check_python(text: str) -> str:
    """The interpreter's path or name, or HostError."""
    if not PYTHON.fullmatch(text):
        raise HostError(f"bad python {shown(text)}: give {PYTHON_RULE}")
    return text


@dataclass(frozen=True)
class Host:
    """One host to boot; the counts are 1 or more, the port is 1 to 65535, None is «not given»."""

    name: str  # host name or address, what rsh gets; IPv6 without brackets
    user: str | None = None
    port: int | None = None
    cpu: int | None = None  # LAM's cpu=
    slots: int | None = None  # Open MPI's slots=, Hydra's host:4, a batch system's
    max_slots: int | None = None
    schedule: bool = True  # LAM's schedule=no: booted, but no COMMAND runs there
    python: str | None = None  # the interpreter there, instead of the boot's
    alias: str | None = None  # the label, where the name alone would not be unique in its HostList

    @property
    def label(self) -> str:
        """What reports call this host, unique in a HostList: its name, `user@name`, `name:port`, or both."""
        return self.alias or self.name

    def attributes(self) -> dict[str, object]:
        """What was given besides the name, ready for JSON; `schedule` only when it is false."""
        given = {key: getattr(self, key) for key in ("user", "port", "cpu", "slots", "max_slots")}
        given["interpreter"] = self.python  # "python" is an agent's version there
        found: dict[str, object] = {key: value for key, value in given.items() if value is not None}
        if not self.schedule:
            found["schedule"] = False
        return found


def check_kinds(host: Host) -> None:
    """HostError for a Host with a field of the wrong type, or an alias that can't be printed."""
    if type(host.name) is not str or any(
        type(one) not in (str, type(None)) for one in (host.alias, host.user, host.python)
    ):
        raise HostError(f"bad host {shown(repr(host))}: its name, alias, user and python are texts")
    if type(host.schedule) is not bool:
        raise HostError(f"bad host {shown(repr(host))}: schedule is True or False")
    if not (host.alias or "").isprintable():
        raise HostError(f"bad alias {shown(host.alias or '')}: give characters that can be printed")
