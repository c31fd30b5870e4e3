"""Sessions on a host of an emulated cluster that mpboot did not start: many at once, held while a test looks."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

from tests.support.cluster import Cluster

# What runs: on a terminal?, the output that says that it is where it should be, the command ({port}: one of its own).
Kinds = dict[str, tuple[bool, str, list[str]]]

# Starts sessions in rounds, one of each kind (sshd refuses too many at once), says their pids, and holds them until
# its standard input ends.
HOLDER = """
import json, os, pty, select, signal, subprocess, sys
kinds, times = json.loads(sys.argv[1]), int(sys.argv[2])
pids, outputs = {kind: [] for kind in kinds}, {}
for number in range(times):
    waiting = {}
    for kind, (terminal, text, argv) in kinds.items():
        argv = [word.replace("{port}", str(7000 + number)) for word in argv]
        if terminal:
            pid, fd = pty.fork()
            if not pid:
                os.execvp(argv[0], argv)
        else:
            run = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            pid, fd = run.pid, os.dup(run.stdout.fileno())
            outputs[run] = run
        pids[kind].append(pid)
        outputs[fd] = b""
        if text:
            waiting[fd] = text.encode()
    while waiting:
        fds = [fd for fd in outputs if isinstance(fd, int)]
        for fd in select.select(fds, [], [])[0]:
            outputs[fd] += os.read(fd, 4096)
            if fd in waiting and waiting[fd] in outputs[fd]:
                del waiting[fd]
print(json.dumps(pids), flush=True)
live = {fd for fd in outputs if isinstance(fd, int)}
while True:
    ready = select.select([0, *live], [], [])[0]
    if 0 in ready:
        break
    for fd in ready:
        try:
            if os.read(fd, 65536):
                continue
        except OSError:
            pass
        live.discard(fd)
for every in pids.values():
    for pid in every:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
"""


@contextlib.contextmanager
def sessions(cluster: Cluster, where: str, kinds: Kinds, times: int = 1) -> Iterator[dict[str, list[int]]]:
    """The pids of so many sessions of each kind, which run on a host meanwhile."""
    command = [sys.executable, "-c", HOLDER, json.dumps(kinds), times]
    holder = cluster.popen(where, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        yield json.loads(holder.stdout.readline())
    finally:
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()
