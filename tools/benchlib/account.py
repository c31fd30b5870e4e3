"""Processor time of a cluster with all that ever ran on it, by a control group of its own where root can make one."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

ROOTS = (Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup"))


class Account:
    """A control group. Without one ``seconds`` is None."""

    def __init__(self) -> None:
        self._group: Optional[Path] = None
        for root in ROOTS:
            if not (root / "cpuacct.usage").exists() and not (root / "cgroup.controllers").exists():
                continue
            group = root / f"mpboot-bench-{os.getpid()}"
            with contextlib.suppress(OSError):
                group.mkdir(exist_ok=True)
                self._home = root / self._own(root) / "cgroup.procs"
                self._group = group
                return

    def _own(self, root: Path) -> str:
        """The group that this process is in, below ``root``."""
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == ("" if (root / "cgroup.controllers").exists() else controllers) and (
                not controllers or "cpuacct" in controllers.split(",")
            ):
                return path.lstrip("/")
        return ""

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """What is started meanwhile is counted, with all that comes of it; this process itself is not."""
        if self._group is not None:
            try:
                (self._group / "cgroup.procs").write_text(str(os.getpid()))
            except OSError:
                self.close()
        try:
            yield
        finally:
            if self._group is not None:
                self._home.write_text(str(os.getpid()))

    def seconds(self) -> Optional[float]:
        """So far."""
        if self._group is None:
            return None
        usage = self._group / "cpuacct.usage"
        if usage.exists():
            return int(usage.read_text()) / 1e9
        for line in (self._group / "cpu.stat").read_text().splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1e6
        return None

    def close(self) -> None:
        """Remove the group, which must be empty."""
        if self._group is not None:
            with contextlib.suppress(OSError):
                self._group.rmdir()
        self._group = None
