"""What is said of a boot when it is over."""

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink
    from mpboot.head.options import Options
    from mpboot.head.report import BootReport


def tell(report: "BootReport", err: "Sink", quiet: bool, options: "Options", patience: Optional[float]) -> None:
    """Say what failed, and unless it is to be quiet how the boot went."""
    width = None
    if err.is_terminal:
        from mpboot.cli.screen import terminal_width

        width = terminal_width()
    lines = report.table(width, options.verbose, options.rsh)
    if not quiet:
        lines += [f"mpboot: {line}" for line in [*report.remarks(), report.summary()]]
    err.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    err.flush(patience)


def how_to_use(name: str) -> list[str]:
    """What is said of a session that is kept."""
    from mpboot.session import login

    option = "" if name == "default" else f" --name {name}"
    told = f"session {name} is kept: mpboot exec{option} -- COMMAND runs one, mpboot halt{option} ends it"
    return [told, *filter(None, [login.advice()])]
