"""Load: processes that are always busy, beside what is measured."""

import contextlib
import os
import subprocess
from collections.abc import Iterator

# Not even kill -9 of the benchmark leaves them behind. The benchmark's pid is given: a shell that starts after that has
# another process for a parent, one that never ends.
BUSY = "while kill -0 $1; do i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done; done 2>/dev/null"


@contextlib.contextmanager
def busy(each: int) -> Iterator[list[int]]:
    """So many processes for each processor that never wait; their pids. They are outside of what is accounted."""
    made: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(each * (os.cpu_count() or 1)):
            made.append(subprocess.Popen(["/bin/sh", "-c", BUSY, "hog", str(os.getpid())], stdin=subprocess.DEVNULL))
        yield [one.pid for one in made]
    finally:
        for one in made:
            one.kill()
        for one in made:
            one.wait()
