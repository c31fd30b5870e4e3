"""A push to hosts of which one is killed when it has half of the file: all others have it, and how long it takes.

tools/relays runs it; tests/tools/test_relays.py a short piece of it.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import signal
import statistics
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import psutil  # noqa: E402

from tests.support.kept import Kept  # noqa: E402
from tests.support.run_mpboot import LOGIN, script  # noqa: E402

TIMEOUT = 60.0  # seconds of a push
LOOK = 0.002  # seconds between two looks how far the relay is


class Cluster:
    """Hosts on this machine, each with a directory of its own at one path; ``top`` is where they are."""

    def __init__(self, top: Path, hosts: int, megabytes: int) -> None:
        self.top = top
        self.names = [f"h{number}" for number in range(1, hosts + 1)]
        self.user = Kept(top / "run")
        self.file = top / "file"
        for name in ("run", "there", *self.names):
            (top / name).mkdir(mode=0o700)
        with self.file.open("wb") as out:
            for _ in range(megabytes):
                out.write(os.urandom(1 << 20))
        bind = f'mount --bind {top}/$host {top}/there && SHELL= exec sh -c "$1"'
        rsh = script(top / "rsh", f"export host; exec unshare -rm sh -c '{bind}' sh \"$*\"; {LOGIN}")
        done = self.user.mpboot("--hosts", f"h[1-{hosts}]", "--rsh", f"{rsh} {{host}}", "--topology", "flat", "--keep")
        assert done.returncode == 0, done.stderr
        self.agents = {host: row["pid"] for host, row in self.user.nodes().items()}

    def push(self, victim: str = "") -> float:
        """Push, and kill what receives on the victim when it has half; returns seconds. AssertionError."""
        for name in self.names:
            for one in (self.top / name).iterdir():
                one.unlink()
        begun = monotonic()
        push = self.user.start("push", str(self.file), f"{self.top}/there/", "--json", str(self.top / "report"))
        if victim:
            self._kill(victim, begun)
        code = push.wait(TIMEOUT)
        took = monotonic() - begun
        hosts = json.loads((self.top / "report").read_text())["hosts"]
        bad = {host: row for host, row in hosts.items() if row["state"] != "done"}
        assert list(bad) == [victim] * bool(victim), bad
        assert code == bool(victim)
        for name in self.names:
            if name != victim:
                assert filecmp.cmp(self.file, self.top / name / "file", shallow=False), f"{name} has another file"
        return took

    def _kill(self, victim: str, begun: float) -> None:
        half = self.file.stat().st_size // 2
        while monotonic() < begun + TIMEOUT:
            pid, got = self._receiver(victim)
            if got >= half:
                os.kill(pid, signal.SIGKILL)
                return
            sleep(LOOK)
        raise AssertionError(f"{victim} never had half of it")

    def _receiver(self, host: str) -> tuple[int, int]:
        """The process that receives there, and how many bytes of the file it has; 0, 0: none yet."""
        for process in psutil.Process(self.agents[host]).children(recursive=True):
            with suppress(OSError):
                for fd in Path(f"/proc/{process.pid}/fd").iterdir():
                    if "/#" in str(fd.readlink()):  # it has no name yet
                        return process.pid, fd.stat().st_blocks * 512
        return 0, 0


def main(words: list[str]) -> int:
    """Run it, and print a line for each push; 1 where something did not hold."""
    asked = argparse.ArgumentParser(prog="tools/relays", description=__doc__)
    asked.add_argument("--hosts", type=int, default=16)
    asked.add_argument("--runs", type=int, default=20)
    asked.add_argument("--megabytes", type=int, default=64)
    options = asked.parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="relays-", dir=memory) as top:
        cluster = Cluster(Path(top), options.hosts, options.megabytes)
        try:
            calm: list[float] = []
            hurt: list[float] = []
            for run in range(options.runs):
                victim = cluster.names[run % max(1, options.hosts - 4)]  # the last ones pass on to nobody
                try:
                    calm.append(cluster.push())
                    hurt.append(cluster.push(victim))
                    print(f"{run + 1}: {calm[-1]:.2f} s; with {victim} killed {hurt[-1]:.2f} s", flush=True)
                except AssertionError as error:
                    wrong += 1
                    print(f"{run + 1}: {victim}: {error}", flush=True)
        finally:
            cluster.user.mpboot("halt")
            cluster.user.kill()
    if calm and hurt:
        print(
            f"median {statistics.median(calm):.2f} s, with a relay killed {statistics.median(hurt):.2f} s; most"
            f" {max(calm):.2f} and {max(hurt):.2f} s; {wrong} of {options.runs} wrong"
        )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
