"""What ``mpboot inspect`` does with its findings: shows them, and ends what is hung where that is wanted."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

import psutil

from mpboot.inspect.judge import Finding, examine, mark_riders
from mpboot.inspect.look import Inspector
from mpboot.inspect.view import detail, show_table, table_rows, to_json
from mpboot.text import aligned, printable

TERM_GRACE = 2.0  # seconds between TERM and KILL
KILL_GRACE = 1.0  # seconds in which what was killed must be gone


def run(
    inspector: Inspector,
    interval: float,
    patience: float,
    write_json: Callable[[str], int] | None,
    kill: bool,
    sure: bool,
    riders: Callable[[], Mapping[int, tuple[str, str]]] = dict,
) -> int:
    """Look, show what was found, end what is hung if that is wanted; returns the exit code.

    ``write_json``: writes JSON instead of a table, and returns an exit code. ``kill``: end what is hung; ``sure``:
    without asking. ``riders()``: host and what it waits for, by pid, of each client that rides a session.
    """
    found = examine(inspector, interval, patience)
    if found:
        mark_riders(found, riders())
    code = 0
    if write_json is not None:
        code = write_json(to_json(found))
    elif inspector.pids:
        sys.stdout.write("\n".join("".join(f"{line}\n" for line in detail(one)) for one in found))
    elif found:
        show_table(found, inspector.everybody)
    sys.stdout.flush()
    for one in found:
        if not one.client.is_known:
            name = one.client.name
            _tell(f"{one.client.pid} ({name}) is no ssh or rsh client: this is a guess; --name {name} if it is one")
    hung = [one for one in found if one.hung]
    if not found:
        whose = "" if inspector.everybody else " of yours"
        _tell("it ended meanwhile" if inspector.pids else f"no ssh or rsh client{whose} is running here")
    if kill and hung:
        hung = _end_hung(hung, inspector, interval, patience, sure)
    elif hung and not inspector.pids and write_json is None:
        _tell(f"{len(hung)} of {len(found)} hung; mpboot inspect PID tells more, --kill-hung ends")
    return code or (1 if hung else 0)


def _end_hung(hung: list[Finding], inspector: Inspector, interval: float, patience: float, sure: bool) -> list[Finding]:
    """Ask a person, look again since the answer may have taken long, end; returns those that are left."""
    others = [one for one in hung if not one.client.is_known]
    hung = [one for one in hung if one.client.is_known]
    for one in others:
        _tell(f"left alone: {one.client.pid}, {shlex.join(one.client.command)}: no ssh or rsh client")
    if not hung:
        return others
    if not sure:
        if not ask(hung):
            return hung + others
        again = {one.client.process: one for one in examine(inspector, interval, patience)}
        for one in hung:
            now = again.get(one.client.process)
            if now is not None and not now.hung:
                _tell(f"{one.client.pid} has moved on: left alone")
        hung = [again[one.client.process] for one in hung if one.client.process in again]
        hung = [one for one in hung if one.hung]
    left = end(hung)
    for one in hung:
        how = "can't be ended" if one in left else "ended"
        _tell(f"{how}: {one.client.pid}, {shlex.join(one.client.command)}: {one.verdict}")
    return left + others


def _tell(line: str) -> None:
    sys.stderr.write(f"mpboot: {printable(line)}\n")


def ask(hung: Sequence[Finding]) -> bool:
    """Name what is to be ended, and ask a person whether it shall be. A terminal shows the table already."""
    if not sys.stdout.isatty():
        sys.stderr.write("".join(f"{line}\n" for line in aligned(table_rows(hung))))
    numbers = ", ".join(str(one.client.pid) for one in hung)
    sys.stderr.write(f"End {numbers}? [y/N] ")
    sys.stderr.flush()
    answer = ""
    try:
        answer = sys.stdin.readline()
    finally:
        if not answer.endswith("\n"):
            sys.stderr.write("\n")
    if answer.strip().lower() in ("y", "yes"):
        return True
    _tell("nothing is ended")
    return False


def end(hung: Iterable[Finding]) -> list[Finding]:
    """End the clients and all below them, by TERM and then KILL; returns those that are still there."""
    hung = list(hung)
    families = [(one, [one.client.process, *one.client.below]) for one in hung]
    every = list({process.pid: process for _, family in families for process in family}.values())
    for act in ("terminate", "resume"):  # a stopped process would never see its end
        for process in every:
            _try(process, act)
    _, alive = psutil.wait_procs(every, TERM_GRACE)
    for process in alive:
        _try(process, "kill")
    _, alive = psutil.wait_procs(alive, KILL_GRACE)
    left = {process.pid for process in alive if _lives(process)}
    return [one for one, family in families if any(process.pid in left for process in family)]


def _try(process: psutil.Process, act: str) -> None:
    try:
        getattr(process, act)()  # psutil refuses if the number is another process's by now
    except psutil.Error:
        return


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
