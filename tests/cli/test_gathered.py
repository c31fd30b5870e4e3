"""Gathered output: what is equal once, under the set of its hosts, byte by byte; and the bound of what is held."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.cli import gathered as module
from mpboot.cli.gathered import Fold, Gathered
from mpboot.text import Lines
from tests.cli.fakes import FakeSink, UnreadSink

RULE = "-" * 15


def gathered(*hosts: str, terminal: bool = False) -> Any:
    made: Any = Gathered
    shown = made(FakeSink(terminal), FakeSink(terminal), hosts)
    shown.said = []
    shown.say = shown.said.append
    return shown


def text(shown: Any) -> str:
    return bytes(shown._out.text).decode()


class Short(Lines):
    """Cuts soon."""

    LONGEST = 3


OUTPUTS = st.dictionaries(
    st.sampled_from(["h1", "h2", "h3", "h4", "odd/one"]),
    st.lists(st.sampled_from([b"", b"\n", b"a", b"b\n", b"\xff\x00", b"a long line\n", b"\x1b[m"]), max_size=7),
)


class TestWhatIsShown:
    def test_equal_outputs_stand_once_under_their_set(self) -> None:
        shown = gathered("h1", "h2", "h3")
        for host in ("h3", "h1"):
            shown.line(host, 1, b"same")
            shown.line(host, 1, b"")
        shown.line("h2", 1, b"same")
        assert text(shown) == ""
        assert shown.finish() == []
        assert text(shown) == f"{RULE}\nh[1,3] (2)\n{RULE}\nsame\n\n{RULE}\nh2\n{RULE}\nsame\n"

    def test_who_wrote_nothing_is_not_there_and_an_empty_line_is_something(self) -> None:
        shown = gathered("h1", "h2")
        shown.started("h1")
        shown.ended("h1", 0)
        shown.line("h2", 1, b"")
        shown.finish()
        assert text(shown) == f"{RULE}\nh2\n{RULE}\n\n"

    def test_a_last_line_without_an_end_is_a_line(self) -> None:
        shown = gathered("h1", "h2")
        shown.line("h1", 1, b"x", whole=False)
        shown.line("h2", 1, b"x")
        shown.finish()
        assert text(shown) == f"{RULE}\nh[1-2] (2)\n{RULE}\nx\n"

    def test_equal_outputs_stay_together_where_exit_codes_differ_and_the_best_come_first(self) -> None:
        shown = gathered("h1", "h2", "h3", "h4", "h5", "h6")
        for host, line, code in (
            ("h1", b"bad", 3), ("h2", b"same", 3), ("h3", b"lost", None), ("h4", b"same", 0), ("h5", b"one", 0),
        ):  # fmt: skip
            shown.line(host, 1, line)
            shown.ended(host, code)
        shown.finish()
        assert re.findall(rf"{RULE}\n(.*)\n{RULE}\n(.*)\n", text(shown)) == [
            ("h[2,4] (2)", "same"),
            ("h5", "one"),
            ("h1", "bad"),
            ("h3", "lost"),
        ]

    def test_stderr_is_shown_as_it_comes(self) -> None:
        shown = gathered("h1")
        shown.line("h1", 2, b"oops")
        assert shown._err.text == b"h1: oops\n"
        shown.finish()
        assert text(shown) == ""

    def test_names_that_no_node_set_holds(self) -> None:
        shown = gathered("h1", "h2", "joe@b:22", "x\x1b")
        for host in ("joe@b:22", "h1", "x\x1b", "h2"):
            shown.line(host, 1, b"x")
        shown.finish()
        assert text(shown).splitlines()[1] == "h[1-2],joe@b:22,x\\x1b (4)"

    def test_a_terminal_has_headers_in_colour_and_colours_that_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        shown = gathered("h1", terminal=True)
        shown.line("h1", 1, b"\x1b[31mred")
        shown.finish()
        assert text(shown) == f"\x1b[94m{RULE}\nh1\n{RULE}\x1b[0m\n\x1b[31mred\x1b[0m\n"
        monkeypatch.setenv("NO_COLOR", "1")
        shown = gathered("h1", terminal=True)
        shown.line("h1", 1, b"x")
        shown.finish()
        assert text(shown) == f"{RULE}\nh1\n{RULE}\nx\n"

    @pytest.mark.parametrize("size", [1, 4, 1 << 13])
    @given(outputs=OUTPUTS)
    def test_each_hosts_bytes_come_back(self, size: int, outputs: dict[str, list[bytes]]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "PIECE", size)
            shown = gathered(*outputs)
            for host, pieces in outputs.items():
                lines = Short()
                for line, whole in [found for piece in pieces for found in lines.cut(piece)]:
                    shown.line(host, 1, line, whole)
                if lines.rest:
                    shown.line(host, 1, lines.rest, whole=False)
            shown.finish()
        blocks = re.split(rb"-{15}\n(.*)\n-{15}\n", shown._out.text)
        assert blocks.pop(0) == b""
        back: dict[str, bytes] = {}
        for header, body in zip(blocks[::2], blocks[1::2]):
            names = re.sub(r"h\[[^]]*]", _unfolded, header.decode().partition(" ")[0]).split(",")
            assert not back.keys() & set(names)
            back.update(dict.fromkeys(names, body))
        wanted = {host: b"".join(pieces) for host, pieces in outputs.items()}
        assert back == {host: out + b"\n" * (out[-1:] != b"\n") for host, out in wanted.items() if out}
        assert len(set(back.values())) == len(blocks) // 2, "what is equal stands there once"


def _unfolded(found: re.Match[str]) -> str:
    from ClusterShell.NodeSet import NodeSet

    return ",".join(NodeSet(found.group()))


class TestBound:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "PIECE", 10)
        monkeypatch.setattr(module, "MOST_OF_HOST", 100)
        monkeypatch.setattr(module, "MOST", 150)

    def test_who_writes_too_much_is_shown_from_its_first_line_on(self) -> None:
        shown = gathered("h1", "h2")
        shown.line("h2", 1, b"line 0")
        for number in range(40):
            shown.line("h1", 1, b"line %d" % number)
        assert text(shown) == "".join(f"h1: line {number}\n" for number in range(40))
        assert shown.said == ["h1: too much output to gather: its lines are shown as they come"]
        assert shown._fold.size == 0
        shown.finish()
        assert text(shown).endswith(f"h1: line 39\n{RULE}\nh2\n{RULE}\nline 0\n")
        assert len(shown.said) == 1

    def test_all_together_hold_no_more_than_so_much_and_what_is_equal_is_held_once(self) -> None:
        hosts = [f"h{number}" for number in range(1, 10)]
        shown = gathered(*hosts)
        for number in range(9):
            for host in hosts[:7]:
                shown.line(host, 1, b"equal for all %d" % number if number < 3 else b"equal")
        assert shown.said == []
        assert 0 < shown._fold.size < 100
        for number in range(8):
            for host in hosts:
                shown.line(host, 1, b"%s's %d" % (host.encode(), number))
        shown.finish()
        assert shown._fold.size <= 150
        *_, last = shown.said
        assert last.startswith("too much output to gather: h[")
        for host in hosts:
            wanted = [f"{host}'s {number}" for number in range(8)]
            plain = [line.partition(": ")[2] for line in text(shown).splitlines() if line.startswith(f"{host}: ")]
            block = text(shown).partition(f"\n{host}\n{RULE}\n")[2].partition(f"\n{RULE}")[0].splitlines()
            assert plain[-8:] == wanted or block[-8:] == wanted

    def test_what_was_taken_is_held_no_longer_but_what_others_begin_with_is(self) -> None:
        fold = Fold()
        assert [fold.add("a", piece) for piece in (b"1", b"2", b"3")] == [True] * 3
        assert [fold.add("b", piece) for piece in (b"1", b"x")] == [False, True]
        assert not fold.add("c", b"1")
        assert fold.take("a") == [b"1", b"2", b"3"]
        assert fold.size == 2
        assert fold.take("b") == [b"1", b"x"]
        assert fold.size == 1
        assert fold.take("nobody") == []
        assert list(fold.groups()) == [(["c"], [b"1"])]


class TestAReaderWhoIsSlow:
    def test_whose_output_he_has_not_read_is_known(self) -> None:
        made: Any = Gathered
        shown = made(out := UnreadSink(), FakeSink(), ("h1", "h2", "h3"))
        for host in ("h1", "h2", "h3"):
            shown.line(host, 1, host.encode())
        out.room = 60  # bytes: the first block, and a part of the second
        assert shown.finish(0.5) == ["h2", "h3"]

    def test_what_waits_for_him_makes_it_full(self) -> None:
        shown = gathered("h1")
        shown.line("h1", 1, b"x")
        assert not shown.full
        shown._err.pending = 1
        assert shown.full
