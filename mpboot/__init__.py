"""mpboot: boot a tree of agents over a group of machines by ssh or rsh.

``mpboot.boot(hosts, …)`` does what the command ``mpboot`` does and returns a ``BootReport``.
"""

# Nothing is imported here: until the command's first line runs, Ctrl-C is a traceback (see __main__.py).
TYPE_CHECKING = False
if TYPE_CHECKING:
    from mpboot._version import __version__
    from mpboot.head.boot import boot
    from mpboot.head.observer import Observer
    from mpboot.head.options import Options
    from mpboot.head.report import BootReport
    from mpboot.hosts.host import Host, HostError
    from mpboot.session.handle import Session, sessions
    from mpboot.session.library import attach, session
    from mpboot.session.registry import SessionError
    from mpboot.session.result import Result

__all__ = [
    "BootReport", "Host", "HostError", "Observer", "Options", "Result", "Session", "SessionError", "__version__",
    "attach", "boot", "session", "sessions",
]  # fmt: skip

# Where each name is: loaded on first use, since the command's --help needs none of it.
_PLACES = {
    "BootReport": "mpboot.head.report",
    "Host": "mpboot.hosts.host",
    "HostError": "mpboot.hosts.host",
    "Observer": "mpboot.head.observer",
    "Options": "mpboot.head.options",
    "Result": "mpboot.session.result",
    "Session": "mpboot.session.handle",
    "SessionError": "mpboot.session.registry",
    "__version__": "mpboot._version",
    "attach": "mpboot.session.library",
    "boot": "mpboot.head.boot",
    "session": "mpboot.session.library",
    "sessions": "mpboot.session.handle",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'mpboot' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
