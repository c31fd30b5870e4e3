"""Reports of boots, made as a test wants them."""

from __future__ import annotations

from mpboot.head.report import BootReport, HostReport


def failed(cause: str, detail: str, evidence: str = "") -> HostReport:
    report = HostReport()
    report.fail(cause, "connect", 2, "head", detail, evidence)
    return report


def up(exit_code: int | None = None, level: int = 1) -> HostReport:
    report = HostReport(begun=exit_code is not None, exit=exit_code)
    report.come_up("head", level, 0.1, 0.5, 4711, 1, "3.11.2")
    return report


def ran(exit_code: int | None, killed: int = 0) -> HostReport:
    """One that is up, and whose command has ended so."""
    report = up(exit_code)
    report.begun, report.killed = True, killed
    return report


def boot_report(**hosts: HostReport) -> BootReport:
    return BootReport("tree", 4, hosts, seconds=2.0)
