"""The commands push and pull: files to hosts, and files of hosts."""

import os
import re
from collections.abc import Sequence
from typing import Any, Callable, Optional

from mpboot.cli import arguments, inputs, json_file
from mpboot.cli.codes import UsageError
from mpboot.cli.sink import Sink, complain, standard_sinks

Show = Callable[[Any], None]  # is called with a session.transfer.Transfer now and then
Watched = Callable[[Any], None]  # runs a session.transfer.Transfer
_PATTERN = re.compile(r"[*?]|\[.+\]")
_AT_HOST = re.compile(r"(?:[\w.-]+@)?([^/:@]+):([/~].*|)")  # as scp has it


def push_command(
    paths: arguments.PushPaths,
    name: arguments.SessionName = "default",
    on: arguments.On = None,
    without: arguments.Without = None,
    json: arguments.Json = None,
    verify: arguments.Verify = False,
) -> int:
    """Copy files and directories to the hosts of a session: SOURCE… DEST, by cp's rules."""
    from mpboot.session.handle import Session

    if len(paths) < 2:
        raise UsageError("push: say what, and where to: mpboot push SOURCE… DEST")
    *sources, dest = paths
    _refuse_host("push", "DEST", dest)
    for source in sources:
        found = _AT_HOST.fullmatch(source)
        if found and not os.path.lexists(source):
            there = found[2] or "~"
            raise UsageError(f"push: {source}: files of hosts come by mpboot pull -w {found[1]} {there} DIR")
    chosen, left_out = _sets(on, without)

    def move(show: Show, watched: Watched) -> Any:
        return Session(name).push(sources, dest, chosen, verify, without=left_out, progress=show, watched=watched)

    return _moved("push", json, move, sources)


def pull_command(
    paths: arguments.PullPaths,
    name: arguments.SessionName = "default",
    on: arguments.On = None,
    without: arguments.Without = None,
    json: arguments.Json = None,
    fold: arguments.Fold = False,
) -> int:
    """Copy files and directories from the hosts of a session: SOURCE… DIR, each to DIR/HOST/."""
    from mpboot.session.handle import Session

    if len(paths) < 2:
        raise UsageError("pull: say what, and where to: mpboot pull SOURCE… DIR")
    *sources, directory = paths
    for source in sources:
        _refuse_host("pull", "SOURCE", source)
    chosen, left_out = _sets(on, without)

    def move(show: Show, watched: Watched) -> Any:
        return Session(name).pull(sources, directory, chosen, fold, without=left_out, progress=show, watched=watched)

    return _moved("pull", json, move, (), sources)


def _refuse_host(what: str, which: str, path: str) -> None:
    """UsageError for a path on the hosts that begins with a host, as scp's do."""
    found = _AT_HOST.fullmatch(path)
    if found:
        host, there = found[1], found[2] or "~"
        raise UsageError(
            f"{what}: {path}: hosts are given as -w {host}, and {which} is {there}, or ./{path} if it is meant"
        )


def _sets(on: Optional[list[str]], without: Optional[list[str]]) -> tuple[Optional[Sequence[str]], Sequence[str]]:
    return inputs.read_set(on), inputs.read_set(without, "-x") or ()


def _moved(
    what: str, json: Optional[str], move: Callable[[Show, Watched], Any], read: Sequence[str], there: Sequence[str] = ()
) -> int:
    """Have it moved, show how it goes, and report; returns the exit code.

    ``read``: files here that are moved; ``there``: those of the hosts.
    """
    target = None if json is None else json_file.open_for_json(json, *read)
    out, err = standard_sinks()
    found = carried(what, move)
    tell(err, found, hints=_about_patterns(there, found))
    code = 128 + found.signal if found.signal else int(not found.good)
    if target is not None:
        code = json_file.write_json(target, json_file.dumped(found.to_dict()), out, err, code)
        complain(out, err)
        err.flush()
    return code


def carried(what: str, move: Callable[[Show, Watched], Any]) -> Any:
    """Have files moved, and show how it goes; returns what came of it."""
    from mpboot.cli.jobcontrol import JobControl
    from mpboot.cli.moving import Shown
    from mpboot.head.signals import heeded_early, signals_into

    shown = Shown(what)

    def watched(one: Any) -> None:
        stops = JobControl(shown.clear, lambda: None)
        with signals_into(one.loop, one.interrupt):
            stops.begin(one.loop)
            try:
                one.run()
            finally:
                stops.end()

    try:
        with heeded_early():
            return move(shown, watched)
    except (OSError, ValueError) as error:
        if getattr(error, "is_for_people", False):
            raise
        why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        raise UsageError(f"{what}: {why}") from None
    finally:
        shown.clear()


def _about_patterns(there: Sequence[str], found: Any) -> list[str]:
    """What to type in place of a pattern, which nobody expands on the hosts."""
    names = [name for name in there if _PATTERN.search(name)]
    if not names or all(one.cause != "not-found" for one in found.hosts.values()):
        return []
    directory = names[0].rpartition("/")[0] or "DIRECTORY"
    return [f"pull: {names[0]}: patterns are not expanded on hosts: name the files, or pull all of {directory}"]


def tell(err: Sink, found: Any, quiet: bool = False, hints: Sequence[str] = ()) -> None:
    """Say what has gone wrong, and unless it is to be ``quiet`` how it went."""
    from mpboot.cli.moving import size
    from mpboot.text import fold, printable

    lines = [*getattr(found, "problems", ()), *_failed(found.hosts), *hints]
    for place, hosts in (getattr(found, "folded", None) or {}).items():
        if not place.startswith(f"{fold(hosts)}/"):  # that was too long for a name
            lines.append(f"{place}: of {fold(hosts)}")
    done = sum(one.done for one in found.hosts.values())
    if not quiet:
        what = f"{size(found.bytes)} in" if done else "after"  # the bytes of a push are those that each is to get
        lines.append(
            f"{done} of {len(found.hosts)} host{'s' * (len(found.hosts) != 1)} done, {what} {found.seconds:.2f} s"
        )
    err.write("".join(f"mpboot: {printable(line)}\n" for line in lines).encode("utf-8", "backslashreplace"))
    err.flush()


def _failed(hosts: dict[str, Any]) -> list[str]:
    """A line for each way in which it went wrong, with its hosts."""
    from mpboot.text import fold

    ways: dict[tuple[str, str], list[str]] = {}
    for host, one in hosts.items():
        if not one.done:
            ways.setdefault((one.cause, one.detail), []).append(host)
    return [f"{fold(labels)}: {cause}: {detail}" for (cause, detail), labels in ways.items()]
