"""The line to a root that the test plays: what it is sent first, the heartbeat, and how it is lost."""

from __future__ import annotations

import time

import pytest

from mpboot.head import line as module
from mpboot.head.line import BEAT, NO_GRACE, ROOT_GRACE, SILENCE, RootLine
from mpboot.net import patience, wire
from mpboot.net.loop import Loop
from tests.head.played_root import DONE, HELLO, PONG, Message, PlayedRoot

FIRST = [(wire.CODE, b"code"), (wire.SHARE, b"hosts")]
LAST: Message = (wire.LOG, b"the last that the root says")


class Ends:
    """A line and its root. ``run`` goes on until LAST was heard, or the root is lost (unless ``patient``)."""

    def __init__(self, root: PlayedRoot, mute: bool = False, patient: bool = False) -> None:
        """``mute``: the root does not even greet."""
        self.loop = Loop()
        self.root = root
        self.patient = patient
        self.heard: list[Message] = []
        self.lost: list[str] = []
        self.line = RootLine(self.loop, lambda: FIRST, self._heard, self._lost, root.started)
        if not mute:
            root.attach(self.loop)

    def run(self) -> None:
        """Run and close."""
        self.loop.run()
        self.line.close()

    def _heard(self, kind: int, body: bytes) -> None:
        self.heard.append((kind, body))
        if (kind, body) == LAST:
            self.loop.stop()

    def _lost(self, reason: str) -> None:
        self.lost.append(reason)
        if not self.patient:
            self.loop.stop()


def test_how_long_things_take() -> None:
    assert (BEAT, SILENCE, ROOT_GRACE, NO_GRACE) == (2.0, 10.0, 9.0, 0.1)


def test_the_hello_is_answered_with_the_first_messages() -> None:
    root = PlayedRoot()
    root.on(wire.SHARE, DONE, LAST)
    ends = Ends(root)
    ready = [ends.line.ready]
    ends.run()
    ready.append(ends.line.ready)
    assert ready == [False, True]
    assert root.silences == [SILENCE]
    assert root.heard == FIRST
    assert ends.heard == [DONE, LAST]
    assert ends.lost == []
    assert root.graces == [ROOT_GRACE]


def test_what_is_sent_follows() -> None:
    root = PlayedRoot()
    ends = Ends(root)
    root.on(wire.SHARE, lambda: ends.line.send(wire.CREDIT, b"7"))
    root.on(wire.CREDIT, LAST)
    ends.run()
    assert root.heard == [*FIRST, (wire.CREDIT, b"7")]


def test_whoever_does_not_begin_with_hello_is_lost() -> None:
    ends = Ends(PlayedRoot(greeting=[DONE, HELLO]))
    ends.run()
    assert ends.lost == ["sent nonsense (DONE: ValueError: not a HELLO)"]
    assert (ends.heard, ends.root.heard) == ([], [])


def test_whoever_does_not_know_the_key_is_lost() -> None:
    root = PlayedRoot(key=bytes(wire.KEY_BYTES))
    ends = Ends(root)
    ends.run()
    assert len(ends.lost) == 1
    assert (ends.heard, root.heard) == ([], [])


def test_a_root_that_ends_is_lost_once() -> None:
    root = PlayedRoot()
    root.on(wire.SHARE, root.leave)
    ends = Ends(root)
    ends.run()
    ends.line.send(wire.GO)
    assert ends.lost == ["the connection was closed"]
    assert root.kinds() == [wire.CODE, wire.SHARE]


def test_closing_sends_what_waits_and_loses_nobody() -> None:
    root = PlayedRoot()
    root.on(wire.SHARE, LAST)
    ends = Ends(root)
    ends.loop.run()
    ends.line.send(wire.GO)
    ends.line.close(at_once=True)
    assert root.graces == [NO_GRACE]
    assert not ends.line.link.open
    assert root.kinds()[-1] == wire.GO
    assert ends.lost == []


class TestHeartbeat:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "BEAT", 0.01)
        monkeypatch.setattr(module, "SILENCE", 0.1)

    def test_a_root_that_answers_is_kept(self) -> None:
        root = PlayedRoot()
        ends = Ends(root)
        root.on(wire.PING, PONG, lambda: root.say(LAST) if len(root.bodies(wire.PING)) == 20 else None)
        ends.run()
        assert ends.lost == []
        assert ends.heard == [PONG] * 20 + [LAST]
        assert root.silences == [0.1]

    def test_a_root_that_is_silent_is_lost_and_not_waited_for(self) -> None:
        root = PlayedRoot()
        ends = Ends(root)
        begin = time.monotonic()
        ends.run()
        assert time.monotonic() - begin > 0.1
        assert ends.lost == ["silent for 0 s"]
        assert set(root.bodies(wire.PING)) == {b""}
        assert root.graces == [NO_GRACE]

    @pytest.mark.parametrize("working", [True, None])
    def test_a_root_that_gets_no_processor_is_spared(self, working: bool | None) -> None:
        """But not for ever; nor where nobody can tell, and then less long."""
        root = PlayedRoot()
        root.working = working
        ends = Ends(root)
        begin = time.monotonic()
        ends.run()
        assert time.monotonic() - begin > 0.1 * (patience.MUTE if working is None else patience.LONG)
        assert ends.lost == [f"silent for {0 if working is None else 1} s"]

    def test_a_root_that_has_not_proved_itself_is_not_asked_and_lost_all_the_same(self) -> None:
        root = PlayedRoot()
        ends = Ends(root, mute=True)
        ends.run()
        assert ends.lost == ["silent for 0 s"]

    def test_whoever_was_suspended_itself_listens_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As much time passes between two heartbeats as if somebody had pressed Ctrl-Z and come back."""
        asleep = [0.0]
        monkeypatch.setattr(module, "monotonic", lambda: time.monotonic() + asleep[0])
        root = PlayedRoot()
        ends = Ends(root)

        def asked() -> None:
            if len(root.bodies(wire.PING)) == 2:
                asleep[0] = 0.15  # more than SILENCE
            elif len(root.bodies(wire.PING)) == 4:
                root.say(LAST)

        root.on(wire.PING, PONG, asked)
        ends.run()
        assert ends.lost == []
        assert ends.heard[-1] == LAST

    def test_a_root_that_is_gone_is_not_called_silent(self) -> None:
        """…which would be a reason not to wait for its end."""
        root = PlayedRoot()
        root.on(wire.SHARE, root.leave)
        ends = Ends(root, patient=True)
        ends.loop.later(0.2, ends.loop.stop)
        ends.run()
        assert ends.lost == ["the connection was closed"]
        assert root.graces == [ROOT_GRACE]


class TestStop:
    def test_the_root_gets_the_signal_and_ends(self) -> None:
        root = PlayedRoot()
        ends = Ends(root)
        root.on(wire.SHARE, lambda: ends.line.stop(2))
        ends.run()
        assert root.heard == [*FIRST, (wire.STOP, b"2")]
        assert ends.lost == ["the connection was closed"]
        assert root.graces == [ROOT_GRACE]

    def test_a_root_that_does_not_end_is_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "ROOT_GRACE", 0.02)
        root = PlayedRoot()
        ends = Ends(root)
        root.on(wire.STOP)
        root.on(wire.SHARE, lambda: ends.line.stop(15))
        ends.run()
        assert root.bodies(wire.STOP) == [b"15"]
        assert ends.lost == ["did not end in 0 s"]
        assert root.graces == [0.02]
