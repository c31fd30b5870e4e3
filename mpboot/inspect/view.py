"""How ``mpboot inspect`` shows what it found: table, detail, JSON; and how it ends what is hung.

Also the table of a boot's launches under way (SIGUSR1). What comes from other processes is printed escaped.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import psutil

from mpboot._version import __version__
from mpboot.advice import advice
from mpboot.inspect.judge import ENDED, HEALTHY, IDLE, STARTING, STOPPED, UNKNOWN, Finding, inspect
from mpboot.inspect.look import Client, Inspector
from mpboot.inspect.netlink import Tcp
from mpboot.text import aligned, printable, seconds

TERM_GRACE = 2.0  # seconds between TERM and KILL
KILL_GRACE = 1.0  # seconds in which what was killed must be gone
ADVICE = {
    STOPPED: "kill -CONT it, or end it",
    ENDED: "nothing to end: its parent must take note of it, or end itself",
    UNKNOWN: "run mpboot inspect as root, or look at the process that has the connection",
}
STYLES = {IDLE: "dim", HEALTHY: "green", STARTING: "cyan", STOPPED: "yellow", UNKNOWN: "yellow", ENDED: "yellow"}


def _place(found: Finding) -> str:
    host, peer = found.host or " ".join(found.client.command[:1]) or "?", found.peer
    if not peer:
        return printable(host)
    return printable(peer if host in peer else f"{host} ({peer})")


def _rows(found: Sequence[Finding], users: bool) -> list[list[str]]:
    rows = [["PID", *(["USER"] if users else []), "PEER", "PHASE", "STILL", "VERDICT", "WAITS FOR"]]
    for one in found:
        user = [printable(one.client.user)] if users else []
        still = seconds(one.still, one.exact)
        rows.append(
            [str(one.client.pid), *user, _place(one), one.phase or "?", still, one.verdict, printable(one.waits)]
        )
    return rows


def show_table(found: Sequence[Finding], users: bool = False) -> None:
    """The table on standard output, in colours on a terminal."""
    rows = _rows(found, users)
    if not sys.stdout.isatty():
        sys.stdout.write("".join(f"{line}\n" for line in aligned(rows)))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in rows[0]:
        table.add_column(name, no_wrap=name != "WAITS FOR", overflow="fold")
    for row, one in zip(rows[1:], found):
        style = "bold red" if one.hung else STYLES.get(one.verdict, "")
        table.add_row(*(Text(cell, style=style if cell == one.verdict else "") for cell in row))
    Console(highlight=False, markup=False, emoji=False).print(table)


def detail(one: Finding) -> list[str]:
    """Everything about one client, a line each."""
    client = one.client
    lines = [
        ("process", f"{client.pid}, {client.name} of {client.user}, {client.status or '?'}, for {seconds(client.age)}"),
        ("command", shlex.join(client.command)),
        ("peer", _place(one) + (f", through process {client.via.pid}" if client.via is not None else "")),
        ("phase", one.phase or "?"),
        ("last moved", f"{seconds(one.still, one.exact)} ago"),
        ("waits for", one.waits),
        ("in kernel", client.waits_in if client.waits_in not in ("", "0") else "?"),
        ("terminal", (client.terminal or "none") + (", which it has open to ask something" if client.prompt else "")),
        ("did", _counters(client)),
        *(("connection", _connection(tcp)) for tcp in client.tcp),
        *(("below it", _below(process)) for process in client.below),
        ("verdict", one.verdict + (f": {one.detail}" if one.detail else "")),
    ]
    advised = advice(one.verdict) or ADVICE.get(one.verdict, "")
    return [*(f"{name:<11} {printable(text)}" for name, text in lines), *([f"    -> {advised}"] if advised else [])]


def _counters(client: Client) -> str:
    cpu = f"{client.cpu:.2f} s of processor time"
    return cpu if client.reads < 0 else f"{client.reads} reads, {client.writes} writes, {cpu}"


def _connection(tcp: Tcp) -> str:
    text = f"{tcp.state} {tcp.peer}"
    if not tcp.exact:
        return text
    text += f", {tcp.received} bytes received, {tcp.sent} sent, data {seconds(tcp.quiet)} ago"
    text += f", peer heard {seconds(tcp.unanswered)} ago"
    text += f", {tcp.unread} unread" if tcp.unread else ""
    return text + (f", {tcp.unsent} unacknowledged (sent again {tcp.resent} times)" if tcp.unsent else "")


def _below(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {process.status()} {shlex.join(process.cmdline())}"
    except psutil.Error:
        return f"{process.pid} (ended)"


def to_dict(one: Finding) -> dict[str, Any]:
    """One client for programs."""
    client = one.client
    return {
        "pid": client.pid, "name": client.name, "user": client.user, "command": client.command, "host": one.host,
        "peer": one.peer, "phase": one.phase, "seconds": round(client.age, 1), "still": round(one.still, 3),
        "exact": one.exact, "waits_for": one.waits, "verdict": one.verdict, "hung": one.hung, "detail": one.detail,
        "advice": advice(one.verdict) or ADVICE.get(one.verdict, ""), "status": client.status,
        "terminal": client.terminal, "prompts": bool(client.prompt), "reads": client.reads, "writes": client.writes,
        "cpu": round(client.cpu, 2), "kernel": client.waits_in,
        "connections": [vars(tcp) for tcp in client.tcp], "below": [process.pid for process in client.below],
    }  # fmt: skip


def to_json(found: Sequence[Finding]) -> str:
    """All of it for programs."""
    hung = sum(one.hung for one in found)
    return json.dumps({"mpboot": __version__, "hung": hung, "clients": [to_dict(one) for one in found]}, indent=1)


def run(inspector: Inspector, interval: float, patience: float, as_json: bool, kill: bool, sure: bool) -> int:
    """The command: look, show, end what is hung if that is wanted. Returns the exit code."""
    found = inspect(inspector, interval, patience)
    if as_json:
        sys.stdout.write(to_json(found) + "\n")
    elif inspector.pids:
        sys.stdout.write("\n".join("".join(f"{line}\n" for line in detail(one)) for one in found))
    elif found:
        show_table(found, inspector.everybody)
    sys.stdout.flush()
    hung = [one for one in found if one.hung]
    if not found:
        whose = "" if inspector.everybody else " of yours"
        _tell("it ended meanwhile" if inspector.pids else f"no ssh or rsh client{whose} is running here")
    if kill and hung:
        hung = _end_hung(hung, inspector, interval, patience, sure)
    elif hung and not inspector.pids and not as_json:
        _tell(f"{len(hung)} of {len(found)} hung; mpboot inspect PID tells more, --kill-hung ends")
    return 1 if hung else 0


def _end_hung(hung: list[Finding], inspector: Inspector, interval: float, patience: float, sure: bool) -> list[Finding]:
    """Ask, look again (a person may have taken long to answer), end. Returns those that are left."""
    if not sure:
        if not ask(hung):
            return hung
        again = {one.client.process: one for one in inspect(inspector, interval, patience)}
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
    return left


def _tell(line: str) -> None:
    sys.stderr.write(f"mpboot: {printable(line)}\n")


def ask(hung: Sequence[Finding]) -> bool:
    """List what is to be ended, and have a person say so."""
    lines = aligned(_rows(hung, False))
    sys.stderr.write("".join(f"{line}\n" for line in lines) + f"End {'these' if len(hung) > 1 else 'it'}? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stderr.write("\n")
    return answer.strip().lower() in ("y", "yes")


def end(hung: Iterable[Finding]) -> list[Finding]:
    """End the clients and what is below them: TERM, after a grace KILL. Returns those that are still there."""
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


# -- a boot's launches -----------------------------------------------------------------------------
