"""A launcher at work for the tests, and its employer, who keeps what it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic

import psutil

from mpboot.net import work
from mpboot.node.launcher import Launcher
from mpboot.workers import forkserver
from mpboot.workers.forker import ForkServer
from mpboot.workers.settings import launch_settings
from tests.node.played import SECRET, Rounds, order, settings

PSUTIL = str(Path(psutil.__file__).parent.parent)


class Boss:
    """The employer: keeps what it is told, and answers what it is asked."""

    def __init__(self) -> None:
        self.failed: list[tuple[int, work.Verdict]] = []
        self.late: list[int] = []
        self.told: list[str] = []  # no room for a rank, room again, as it came
        self.lines: list[tuple[float, str, str]] = []
        self.more: list[int] = []  # keeps_up
        self.room = True
        self.wants = False
        self.blind = 0
        self.so_far = (0, 0.0)  # launches begun, and the monotonic time of the first
        self.on_room_again: Callable[[], None] = lambda: None
        self.on_keeps_up: Callable[[int], None] = lambda _: None

    def started(self, label: str, pid: int) -> None:
        self.log(monotonic(), label, f"started, pid {pid}")

    def launch_failed(self, rank: int, verdict: work.Verdict) -> None:
        self.failed.append((rank, verdict))

    def launch_late(self, rank: int) -> None:
        self.late.append(rank)

    def no_room(self, rank: int) -> None:
        self.told.append(f"no room for {rank}")

    def room_again(self) -> None:
        self.told.append("room again")
        self.on_room_again()

    def has_room(self, workers: int) -> bool:
        return self.room or not workers

    def wants_more(self) -> bool:
        return self.wants

    def keeps_up(self, count: int, begun: int, first: float) -> None:
        self.so_far = (begun, first)
        self.more.append(count)
        self.on_keeps_up(count)

    def no_psutil(self) -> None:
        self.blind += 1

    def log(self, when: float, label: str, text: str) -> None:
        self.lines.append((when, label, text))

    def texts(self, label: str) -> list[str]:
        """What was logged of a host, with no pids."""
        return [text.partition(", pid")[0] for _, one, text in self.lines if one == label]


class Launching:
    """A launcher of rank 5 at work."""

    def __init__(self, loop: Rounds, rsh: str, server: type[ForkServer] = ForkServer) -> None:
        self.loop = loop
        self.boss = Boss()
        common = launch_settings(settings(rsh=rsh, rsh_words=[rsh]), ("raise SystemExit(3)",), (), 1, "h", True)
        self.launcher = Launcher(loop, server(forkserver.start()), common, self.boss, 5, [PSUTIL])

    def launch(self, *names: str, number: int = 1) -> None:
        """Launch hosts; the rank is the number at the end of the name."""
        for name in names:
            self.launcher.launch(order(int(name.lstrip("denyhagmutkpqrs")), name), number, SECRET, ((-1, number),))

    def until_started(self, *names: str) -> None:
        """Go on until the rsh of each is started."""
        self.loop.until(lambda: all("started" in self.boss.texts(name) for name in names))

    def rsh_of(self, name: str) -> psutil.Process:
        """The rsh of a host."""
        (pid,) = [int(text.split()[-1]) for _, one, text in self.boss.lines if one == name and "pid" in text]
        return psutil.Process(pid)
