"""What a riding ssh asks for, as it is sent to a host; and why its output may not be whole."""

from __future__ import annotations

from mpboot.head.jobs import End
from mpboot.net.jobs import GAP
from mpboot.net.login import COMMAND, CONNECT, SHELL, SUBSYSTEM, Login
from mpboot.session import mux, terminal

NOT_RUN = 126  # of a command that an agent did not begin
NO_CODE = 255  # ssh's own, where it hears of none


def login(asked: mux.NewSession, stdin: int) -> Login:
    """The login that stands for this request; ``stdin``: the client's, whose terminal's size and modes go along."""
    if asked.host:
        return Login(CONNECT, f"{asked.host} {asked.port}")
    kind = SUBSYSTEM if asked.subsystem else COMMAND if asked.command else SHELL
    if not asked.tty:
        return Login(kind, asked.command)
    return Login(kind, asked.command, asked.term or "dumb", terminal.size(stdin), terminal.modes(stdin))


def why_not_whole(end: End, is_cut: bool, has_all_input: bool, lost: str) -> str:
    """What is missing of a job that has ended, for people; an empty string where all is there.

    ``is_cut``: input on its way may have been lost; ``has_all_input``: all of it was sent; ``lost``: why its output
    could not be written.
    """
    if end.missing:
        return f"{end.missing} bytes of the command's output are lost"
    if end.cause:
        return f"{end.cause}: {end.detail}"
    if is_cut and not (has_all_input and end.code not in (NOT_RUN, NO_CODE, None)):
        return GAP
    return f"its output could not be written: {lost}" if lost else ""
