"""The lines that end a boot: its report, and how its session is used."""

from typing import TYPE_CHECKING, Optional

from mpboot.tree import causes

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink
    from mpboot.head.options import Options
    from mpboot.head.report import BootReport


def tell(report: "BootReport", err: "Sink", quiet: bool, options: "Options", patience: Optional[float]) -> None:
    """Say what failed and where logins hang, and unless it is to be quiet how the boot went."""
    lines = report.remarks() if not quiet else [*report.ends(), *report.hanging()]
    told = [f"mpboot: {line}" for line in [*lines, *([] if quiet else [report.summary()])]]
    if err.is_terminal:
        from mpboot.cli.colours import coloured, summary
        from mpboot.cli.screen import Paint, terminal_width, wrapped

        width, paint = terminal_width(), Paint()
        told = [piece for line in told for piece in wrapped(line, width)]
        table = report.table(width, options.verbose, options.rsh)
        lines = [*coloured(table, paint), *(summary(line, paint) for line in told)]
    else:
        lines = [*report.table(None, options.verbose, options.rsh), *told]
    err.write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    err.flush(patience)


def after_boot(name: str, kept: bool, report: "BootReport", quiet: bool) -> list[str]:
    """The lines at the end of a boot with --keep: how the session is used, or that there is none."""
    if kept:
        return [] if quiet else how_to_use(name)
    if report.ended_by == causes.DEADLINE:
        return ["the deadline ended the boot, so no session is kept: --timeout gives up slow hosts one by one"]
    return [] if report.ended_by else [f"no host is up: session {name} has ended"]


def how_to_use(name: str) -> list[str]:
    """The lines that say how a session is used."""
    from mpboot.session import login

    option = "" if name == "default" else f" --name {name}"
    told = f"session {name} is kept: mpboot exec{option} -- COMMAND runs one, mpboot halt{option} ends it"
    return [told, *filter(None, [login.advice()])]
