"""An ssh that rides and is in the background of a terminal: what is typed there is the foreground's."""

from __future__ import annotations

import os
import pty

import pytest

from tests.support.rider import BATCH, rides
from tests.support.waiting import until


@pytest.mark.parametrize("way", ["&", "Ctrl-Z"])
def test_what_is_typed_is_for_the_foreground(way: str) -> None:
    with rides("h1") as user:
        got, said = user.runtime / "got", user.runtime / "said"
        pid, master = pty.fork()
        if not pid:
            os.execve("/bin/bash", ["bash", "--norc", "-i"], user.environment)
        ssh = f"{user.bin}/ssh {' '.join(BATCH)} h1 'echo >{got}; head -n 1 >>{got}; echo >>{got} end'"
        os.write(master, f"{ssh} {'&' if way == '&' else ''}\n".encode())
        until(got.exists)
        if way == "Ctrl-Z":
            os.write(master, b"\x1a")
            until(lambda: os.tcgetpgrp(master) == pid)
        for number in range(20):
            os.write(master, b"echo %d >>%s\n" % (number, os.fsencode(said)))
            until(lambda number=number: said.exists() and said.read_text().endswith(f"{number}\n"))  # type: ignore[misc]
        assert said.read_text().split() == [str(number) for number in range(20)]
        assert got.read_text() == "\n"
        os.write(master, b"fg\n")
        until(lambda: os.tcgetpgrp(master) != pid)
        os.write(master, b"for ssh\n")
        until(lambda: got.read_text() == "\nfor ssh\nend\n")
        until(lambda: os.tcgetpgrp(master) == pid)
        os.write(master, b"exit\n")
        os.close(master)
        os.waitpid(pid, 0)
        got.unlink()
        said.unlink()
