"""tmux for tests: a server of one's own, of which nothing is left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory


class Tmux:
    """A server, by its socket; it begins with the first command, with ``environment`` if one is given."""

    def __init__(self, socket: Path, environment: Mapping[str, str] | None) -> None:
        self._server = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        self._environment = environment

    def __call__(self, *words: str) -> str:
        """Run one of tmux's commands; what it prints."""
        done = subprocess.run(
            [*self._server, *words], capture_output=True, text=True, env=self._environment, timeout=20, check=True
        )
        return done.stdout


@contextmanager
def own_tmux(environment: Mapping[str, str] | None = None) -> Iterator[Tmux]:
    """A server that ends here; its socket goes with its directory, which has a short name: tmux leaves it behind."""
    with TemporaryDirectory(prefix="mpt-") as directory:
        made = Tmux(Path(directory) / "tmux", environment)
        try:
            yield made
        finally:
            with suppress(subprocess.CalledProcessError):  # it has not begun, or has ended
                made("kill-server")
