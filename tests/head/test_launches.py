"""Which launches are under way, as lines for a person."""

from __future__ import annotations

from mpboot.head.launches import launch_lines
from mpboot.net.messages import LaunchSeen


def seen(**changes: object) -> LaunchSeen:
    launch = LaunchSeen("h1", -1, 1, 2.0, None, None, [], [], "")
    for name, value in changes.items():
        setattr(launch, name, value)
    return launch


def test_launches_are_shown_escaped_and_not_all() -> None:
    lines = launch_lines([seen(host="h\x1b1")] * 300, lambda _: "head", silent=1)
    assert lines[0] == "300 launches under way"
    assert lines[2].startswith("h\\x1b1")
    assert lines[-2:] == ["and 100 more", "1 parent did not answer in time"]
    assert launch_lines([], str) == ["no launches under way"]
