"""Hosts that are to leave a tree, and do not hear of it."""

from __future__ import annotations

from mpboot.head.growth import Growth
from mpboot.head.options import Options
from mpboot.head.report import BootReport, HostReport
from mpboot.hosts.host import Host
from mpboot.net import wire
from mpboot.node.dispatch import unpack_to


def test_who_was_to_leave_and_turns_up_below_another_parent_is_told_again() -> None:
    labels = ["a", "b", "c"]
    report = BootReport("adaptive", 0, hosts={label: HostReport(state="up") for label in labels})
    sent: list[tuple[int, bytes]] = []
    growth = Growth(
        [Host(label) for label in labels], labels, report, Options(), 0.0, lambda kind, body: sent.append((kind, body))
    )
    growth.moved(1)
    assert sent == []
    growth.part_with(["b"])
    growth.moved(0)
    growth.moved(1)
    assert [(kind, unpack_to(body)) for kind, body in sent] == [(wire.TO, ([1], wire.LEAVE, b""))] * 2
