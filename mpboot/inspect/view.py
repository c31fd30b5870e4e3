"""How ``mpboot inspect`` shows what it found: a table, one client in detail, or JSON.

What comes from other processes is printed escaped, but in JSON, which has escapes of its own.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import psutil

from mpboot._version import __version__
from mpboot.advice import advice
from mpboot.inspect.judge import ENDED, HEALTHY, IDLE, RIDES, STARTING, STOPPED, UNKNOWN, Finding
from mpboot.inspect.look import Client
from mpboot.inspect.netlink import TcpConnection
from mpboot.text import aligned, printable, seconds

ADVICE = {
    STOPPED: "kill -CONT it, or end it",
    ENDED: "nothing to end: its parent must take note of it, or end itself",
    UNKNOWN: "run mpboot inspect as root, or look at the process that has the connection",
}
STYLES = {
    IDLE: "dim",
    HEALTHY: "green",
    RIDES: "green",
    STARTING: "cyan",
    STOPPED: "yellow",
    UNKNOWN: "yellow",
    ENDED: "yellow",
}


def _place(found: Finding) -> str:
    host, peer = found.host or " ".join(found.client.command[:1]) or "?", found.peer
    if not peer:
        return printable(host)
    return printable(peer if host in peer else f"{host} ({peer})")


def table_rows(found: Sequence[Finding], users: bool = False) -> list[list[str]]:
    """The table's cells, its heading first; with the column of ``users`` if that is wanted."""
    rows = [["PID", *(["USER"] if users else []), "PEER", "PHASE", "STILL", "VERDICT", "WAITS FOR"]]
    for one in found:
        user = [printable(one.client.user)] if users else []
        still = seconds(one.still, one.exact)
        rows.append(
            [str(one.client.pid), *user, _place(one), one.phase or "?", still, one.verdict, printable(one.waits)]
        )
    return rows


def show_table(found: Sequence[Finding], users: bool = False) -> None:
    """Write the table to standard output, in colours on a terminal."""
    rows = table_rows(found, users)
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


def _connection(tcp: TcpConnection) -> str:
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
    """All clients for programs."""
    hung = sum(one.hung for one in found)
    return json.dumps({"mpboot": __version__, "hung": hung, "clients": [to_dict(one) for one in found]}, indent=1)
