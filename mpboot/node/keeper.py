"""How a command is ended, and its keeper, who does so where the agent dies in a way that leaves it no time to."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the module around it would take 6 ms to load
import os
from time import sleep

from mpboot.workers.family import family, send, start_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Tuple

    from mpboot.workers.family import Process

KILL_AFTER = 1.5  # seconds between the first signal and KILL
PID_BYTES = 8


def end(leader: int, start: int, processes: List[Process], number: int) -> None:
    """Send a signal to a command's processes, each once; to its process group whether they can be found or not."""
    left = processes
    if leader and start_of(leader) in (0, start):  # else it has ended, and its number is somebody else's
        try:
            os.killpg(leader, number)
            left = [process for process in processes if _group_of(process[0]) != leader]
            if number != signal.SIGKILL:
                os.killpg(leader, signal.SIGCONT)  # one that is stopped is to see it
        except OSError:  # it has not got as far as having a group, or nobody is left in it, or it is another user's
            left = [(leader, start), *(process for process in processes if process[0] != leader)]
    send(left, number)


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0  # it has ended


def keep(token: bytes) -> Tuple[int, int]:
    """Start the keeper, which ends the command if the agent dies in a way that leaves it no time to. OSError.

    Its pid, and a descriptor: the command's pid goes there, and its closing is the agent's death.
    """
    agent_lives, held = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(agent_lives)
        os.close(held)
        raise
    if pid:
        os.close(agent_lives)
        return pid, held
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.dup2(agent_lives, 0)
        for fd in (agent_lives, held):
            os.close(fd)  # there may be no more descriptors, and what follows needs one
        os.closerange(3, 1 + max(map(int, _open_files())))
        null = os.open(os.devnull, os.O_RDWR)
        for target in (1, 2):
            os.dup2(null, target)
        os.closerange(3, 4)
        told = os.read(0, 2 * PID_BYTES)
        os.read(0, 1)
        # Nothing told: the agent died when it had just started the command, or just not.
        command = int.from_bytes(told[:PID_BYTES], "big"), int.from_bytes(told[PID_BYTES:], "big")
        for number, wait in ((signal.SIGTERM, KILL_AFTER), (signal.SIGKILL, 0.0)):
            end(*command, family(*command, b"MPBOOT_TOKEN=" + token), number)
            sleep(wait)
    finally:
        os._exit(0)


def _open_files() -> List[str]:
    try:
        return os.listdir("/proc/self/fd")
    except OSError:
        return ["4096"]
