"""What must be true of one node's hosts after each event: each is in one place, and the numbers say so."""

from __future__ import annotations

from collections.abc import Iterable

from mpboot.tree import ledger, state


def check_numbers(boot: state.BootState, launches: Iterable[int]) -> None:
    """Each host is in one place, and the numbers say so."""
    counts = dict.fromkeys(ledger.PLACES, 0)
    by_child: dict[int, set[int]] = {child: set() for child in boot.children}
    for rank, place in boot.place.items():
        if place < 0:
            counts[place] += 1
        else:
            by_child[place].add(rank)
        assert (place == ledger.UP) == (rank in boot.children)
    assert counts == boot.counts
    assert counts[ledger.TAKEN] == 0
    assert sum(counts.values()) + boot.handed() == len(boot.place)
    for rank, child in boot.children.items():
        assert child.left | child.below == by_child[rank]
        assert not child.left & child.below
    launching = {rank for rank, place in boot.place.items() if place == ledger.LAUNCHING}
    assert launching == set(launches)
    assert boot.late <= launching
    if boot.policy.width:
        assert len(launching - boot.late) <= boot.policy.width
    if boot.stopped or not (boot.can_launch or boot.is_root):
        assert not counts[ledger.PENDING]
        assert not counts[ledger.URGENT]
    assert {rank for rank, place in boot.place.items() if place == ledger.PENDING} <= set(boot.pending)
    assert {rank for rank, place in boot.place.items() if place == ledger.URGENT} <= set(boot.urgent)
