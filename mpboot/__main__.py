"""``python -m mpboot``, and where the command ``mpboot`` begins."""

import _signal  # type: ignore[import-not-found]  # what signal is made of, which takes longer to load
import os
import sys

INTERRUPTED = 130
SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "busybox")


def _leave(*_: object) -> None:
    """End at once, by Ctrl-C: nothing has begun yet, or all is done.

    Who typed it at a shell wants its loop or script to end as well. A shell ends that only if the signal itself has
    ended us; it calls that 130, too. All other programs get the exit code that they were promised.
    """
    if _is_a_shells():
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGINT,))
        os.kill(os.getpid(), _signal.SIGINT)
    os._exit(INTERRUPTED)


def _is_a_shells() -> bool:
    """Has a shell started this, in the foreground of its terminal?"""
    try:
        with open(f"/proc/{os.getppid()}/comm") as name:  # noqa: PTH123
            if name.read().strip() not in SHELLS:
                return False
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False  # it has been hung up
    finally:
        os.close(terminal)


def _was_interrupted() -> bool:
    """Did Ctrl-C come while a boot or a command ran?"""
    signals = sys.modules.get("mpboot.head.signals")
    return signals is not None and _signal.SIGINT in signals.came


def _leave_at_once() -> bool:
    """Have Ctrl-C end this process without a word, unless it is ignored or somebody else's; is it heeded?"""
    heeded = _signal.getsignal(_signal.SIGINT) in (_signal.default_int_handler, _leave)
    if heeded:
        _signal.signal(_signal.SIGINT, _leave)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGINT,))  # the command has held it back: see cli/mpboot
    return heeded


if __name__ == "__main__" or os.path.basename(sys.argv[0]) == "mpboot":  # noqa: PTH119
    _leave_at_once()  # the script that is the command has something to do before it calls main


def _heed(lost: "sys.UnraisableHookArgs") -> None:
    """Heed Ctrl-C, TERM and HUP also where Python lets no exception out: it would print a traceback, and go on."""
    if isinstance(lost.exc_value, KeyboardInterrupt):
        _leave()
    if isinstance(lost.exc_value, SystemExit) and isinstance(lost.exc_value.code, int):
        os._exit(lost.exc_value.code)
    sys.__unraisablehook__(lost)


def main() -> None:
    """Run the command; Ctrl-C ends it without a traceback while its modules load, too."""
    heeded = _leave_at_once()
    sys.unraisablehook = _heed
    from mpboot.cli.main import main as run

    try:
        if heeded:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        run()
    except KeyboardInterrupt:  # just before what heeds it, or just after
        _leave()
    except SystemExit as end:
        if end.code == INTERRUPTED and _was_interrupted():
            try:
                sys.stdout.flush()
            except OSError:
                pass  # nobody reads it any more
            _leave()
        raise
    finally:
        if heeded:
            _signal.signal(_signal.SIGINT, _leave)


if __name__ == "__main__":
    # Python has put the working directory first: nothing is to be imported from there, unless mpboot itself is.
    if sys.path[:1] != [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]:  # noqa: PTH100, PTH120
        del sys.path[:1]
    main()
