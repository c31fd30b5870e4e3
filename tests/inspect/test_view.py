"""How findings are shown: the table, one client in detail, JSON; escaped, whatever a process calls itself."""

from __future__ import annotations

import json
import shlex
from typing import Any

import psutil
import pytest

from mpboot._version import __version__
from mpboot.advice import advice
from mpboot.inspect.netlink import TcpConnection
from mpboot.inspect.view import detail, show_table, table_rows, to_dict, to_json
from mpboot.tree import causes
from tests.inspect.clients import PEER, PID, client, finding, tcp

EVIL = "\x1b[2J\n"

# -- the table -------------------------------------------------------------------------------------


def test_the_cells() -> None:
    heading = ["PID", "PEER", "PHASE", "STILL", "VERDICT", "WAITS FOR"]
    row = [str(PID), f"h5 ({PEER})", "handshake", "6.2 s", "handshake-timeout", "the first byte"]
    assert table_rows([finding(), finding(phase="", exact=False, still=600.0)]) == [
        heading, row, [str(PID), f"h5 ({PEER})", "?", "<10 min", "handshake-timeout", "the first byte"],
    ]  # fmt: skip
    assert table_rows([finding()], True) == [["PID", "USER", *heading[1:]], [str(PID), "joe", *row[1:]]]
    assert table_rows([]) == [heading]


@pytest.mark.parametrize(
    ("host", "peer", "command", "shown"),
    [
        ("h5", PEER, ["ssh"], f"h5 ({PEER})"),
        ("10.0.0.5", PEER, ["ssh"], PEER),
        ("h5", "", ["ssh"], "h5"),
        ("", "", ["/bin/rsync", "x"], "/bin/rsync"),
        ("", "", [], "?"),
        ("", PEER, ["plink"], f"plink ({PEER})"),
        (EVIL, "", [], "\\x1b[2J\\n"),
        (EVIL, PEER, [], f"\\x1b[2J\\n ({PEER})"),
    ],
)
def test_places(host: str, peer: str, command: list[str], shown: str) -> None:
    connections = [tcp(peer=peer), tcp(peer="other")] if peer else []
    one = finding(host=host, client=client(command=command, tcp=connections))
    assert table_rows([one])[1][1] == shown


def test_what_others_say_is_escaped() -> None:
    one = finding(host=EVIL, waits=EVIL, detail=EVIL, client=client(user=EVIL, command=["ssh", EVIL], name=EVIL))
    assert all(cell.isprintable() for cell in table_rows([one], True)[1])
    assert all(line.isprintable() for line in detail(one))


def test_a_table_for_no_terminal_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([finding()], True)
    width = max(3, len(str(PID)))
    assert capsys.readouterr().out == (
        f"{'PID'.ljust(width)}  USER  PEER{' ' * 12}  PHASE      STILL  VERDICT            WAITS FOR\n"
        f"{str(PID).ljust(width)}  joe   h5 ({PEER})  handshake  6.2 s  handshake-timeout  the first byte\n"
    )
    show_table([finding()])
    assert "USER" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("verdict", "style"),
    [
        (causes.HANDSHAKE_TIMEOUT, "\x1b[1;31m"), ("idle", "\x1b[2m"), ("healthy", "\x1b[32m"),
        ("starting", "\x1b[36m"), ("stopped", "\x1b[33m"), ("unknown", "\x1b[33m"), ("ended", "\x1b[33m"),
    ],
)  # fmt: skip
def test_a_table_for_a_terminal_has_colours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verdict: str, style: str
) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "200")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show_table([finding(verdict=verdict, waits="[red]the :smile: byte")])
    heading, row = capsys.readouterr().out.rstrip("\n").split("\n")
    assert "\x1b[1m" in heading
    assert f"{style}{verdict.ljust(7)}\x1b[0m" in row
    assert row.count("\x1b[") == 2
    assert "[red]the :smile: byte" in row
    assert heading.startswith("\x1b[1mPID")


def test_a_narrow_terminal_folds_the_last_column_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("NO_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "90")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show_table([finding(waits="word " * 12)])
    lines = capsys.readouterr().out.rstrip("\n").split("\n")
    bold = "\x1b[1mhandshake-timeout\x1b[0m"
    assert lines[1].startswith(f"{str(PID).ljust(3)}  h5 ({PEER})  handshake  6.2 s  {bold}  word")
    assert len(lines) > 2
    assert all(set(line.split()) == {"word"} for line in lines[2:])


# -- one client ------------------------------------------------------------------------------------


def test_detail() -> None:
    lines = detail(finding())
    assert lines == [
        f"process     {PID}, ssh of joe, sleeping, for 100.0 s",
        "command     ssh h5",
        f"peer        h5 ({PEER})",
        "phase       handshake",
        "last moved  6.2 s ago",
        "waits for   the first byte",
        "in kernel   ?",
        "terminal    none",
        "did         9 reads, 8 writes, 1.50 s of processor time",
        f"connection  ESTABLISHED {PEER}, 4000 bytes received, 4000 sent, data 60.0 s ago, peer heard 60.0 s ago",
        "verdict     handshake-timeout: nothing came",
        f"    -> {advice('handshake-timeout')}",
    ]


def rows(**changes: Any) -> dict[str, str]:
    one = finding(**{name: changes.pop(name) for name in list(changes) if name in vars(finding())})
    one.client = client(**changes)
    return {line[:11].strip(): line[12:] for line in detail(one)}


def test_what_else_a_detail_may_have() -> None:
    assert rows(status="")["process"] == f"{PID}, ssh of joe, ?, for 100.0 s"
    assert rows(command=["ssh", "h5", "a b"])["command"] == "ssh h5 'a b'"
    assert rows(via=psutil.Process())["peer"] == f"h5 ({PEER}), through process {PID}"
    assert rows(phase="")["phase"] == "?"
    assert rows(exact=False)["last moved"] == "<6.2 s ago"
    assert [rows(waits_in=name)["in kernel"] for name in ("", "0", "do_poll")] == ["?", "?", "do_poll"]
    assert rows(terminal="/dev/pts/2")["terminal"] == "/dev/pts/2"
    assert rows(terminal="/dev/pts/2", prompt="/dev/tty")["terminal"] == (
        "/dev/pts/2, which it has open to ask something"
    )
    assert rows(prompt="ssh-askpass")["terminal"] == "none, which it has open to ask something"
    assert rows(reads=-1)["did"] == "1.50 s of processor time"
    assert rows(reads=0)["did"] == "0 reads, 8 writes, 1.50 s of processor time"
    assert rows(detail="", verdict="idle")["verdict"] == "idle"


@pytest.mark.parametrize(
    ("connection", "told"),
    [
        (TcpConnection("SYN_SENT", PEER, resent=3, unsent=1), f"SYN_SENT {PEER}"),
        (
            tcp(quiet=1.0, unanswered=2.0, unread=3),
            f"ESTABLISHED {PEER}, 4000 bytes received, 4000 sent, data 1.0 s ago, peer heard 2.0 s ago, 3 unread",
        ),
        (
            tcp(received=1, sent=2, unsent=5, resent=6),
            f"ESTABLISHED {PEER}, 1 bytes received, 2 sent, data 60.0 s ago, peer heard 60.0 s ago"
            ", 5 unacknowledged (sent again 6 times)",
        ),
    ],
)
def test_connections(connection: TcpConnection, told: str) -> None:
    assert rows(tcp=[connection])["connection"] == told


def test_every_connection_and_every_process_below() -> None:
    ended = psutil.Popen(["sleep", "9"])
    ended.kill()
    ended.wait()
    this = psutil.Process()
    lines = detail(finding(client=client(tcp=[tcp(), tcp(peer="x:1")], below=[this, ended])))
    assert [line.split(",")[0] for line in lines if line.startswith("connection")] == [
        f"connection  ESTABLISHED {PEER}", "connection  ESTABLISHED x:1",
    ]  # fmt: skip
    below = [line for line in lines if line.startswith("below it")]
    assert below[0] == f"below it    {PID} running {shlex.join(this.cmdline())}"
    assert below[1] == f"below it    {ended.pid} (ended)"


def test_advice_where_there_is_any() -> None:
    own = {
        "stopped": "    -> kill -CONT it, or end it",
        "ended": "    -> nothing to end: its parent must take note of it, or end itself",
        "unknown": "    -> run mpboot inspect as root, or look at the process that has the connection",
    }
    for verdict, line in own.items():
        assert detail(finding(verdict=verdict))[-1] == line
        assert to_dict(finding(verdict=verdict))["advice"] == line[7:]
    for verdict in ("idle", "healthy", "starting"):
        assert detail(finding(verdict=verdict))[-1].startswith("verdict")
        assert to_dict(finding(verdict=verdict))["advice"] == ""


# -- for programs ----------------------------------------------------------------------------------


def test_json_of_one() -> None:
    one = finding(client=client(below=[psutil.Process()], waits_in="do_poll", terminal="/dev/pts/2", age=100.04,
                                cpu=1.504, prompt="/dev/tty"), still=6.2504)  # fmt: skip
    assert to_dict(one) == {
        "pid": PID, "name": "ssh", "user": "joe", "command": ["ssh", "h5"], "host": "h5", "peer": PEER,
        "phase": "handshake", "seconds": 100.0, "still": 6.25, "exact": True, "waits_for": "the first byte",
        "verdict": "handshake-timeout", "hung": True, "detail": "nothing came", "advice": advice("handshake-timeout"),
        "status": "sleeping", "terminal": "/dev/pts/2", "prompts": True, "reads": 9, "writes": 8, "cpu": 1.5,
        "kernel": "do_poll", "below": [PID],
        "connections": [{
            "state": "ESTABLISHED", "peer": PEER, "exact": True, "received": 4000, "sent": 4000, "quiet": 60.0,
            "unanswered": 60.0, "resent": 0, "unread": 0, "unsent": 0,
        }],
    }  # fmt: skip
    told = to_dict(finding(verdict="idle", client=client(age=1.26, cpu=0.126), still=0.12345))
    assert (told["hung"], told["prompts"]) == (False, False)
    assert (told["seconds"], told["cpu"], told["still"]) == (1.3, 0.13, 0.123)


def test_json_of_all() -> None:
    text = to_json([finding(), finding(verdict="idle"), finding()])
    told = json.loads(text)
    assert (told["mpboot"], told["hung"], len(told["clients"])) == (__version__, 2, 3)
    assert told["clients"][1] == to_dict(finding(verdict="idle"))
    assert text.startswith('{\n "mpboot": ')
    assert json.loads(to_json([])) == {"mpboot": __version__, "hung": 0, "clients": []}
