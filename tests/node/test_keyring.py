"""Whose agent an agent is, and whose family: by keys that each node derives of what it was given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net import keys
from mpboot.node import keyring
from mpboot.node.keyring import Keyring, numbers_from

SECRET = bytes(range(16))
HEAD, A, B, C, D = -1, 1, 2, 3, 4


def root(*ranks: int) -> Keyring:
    ring = Keyring(HEAD)
    for rank in ranks:
        ring.take(rank, keys.of_host(SECRET, rank), ())
    return ring


def below(ring: Keyring, by: int, rank: int, hosts: list[int]) -> Keyring:
    """The keys of the child ``rank``, to which the node ``by`` hands hosts."""
    number, given = ring.share(hosts)
    child = Keyring(rank)
    for host in hosts:
        child.take(host, given[host], (*ring._ways[host], (by, number)))
    return child


# -- agents ----------------------------------------------------------------------------------------


def test_the_agent_of_a_launch_is_known_by_its_number() -> None:
    ring = root(A, B)
    key, way = ring.launch(A)
    assert way == ((HEAD, 1),)
    assert key == keys.of_launch(keys.of_host(SECRET, A), 1)
    assert ring.find(A, (1,)) == key


def test_two_launches_of_a_host_have_a_key_each() -> None:
    """The agent of the first may be late, and is as good as the second's."""
    ring = root(A)
    (first, _), (second, _) = ring.launch(A), ring.launch(A)
    assert first != second
    assert (ring.find(A, (1,)), ring.find(A, (2,))) == (first, second)


@pytest.mark.parametrize(
    ("rank", "numbers"), [(B, (1,)), (A, (2,)), (A, (0,)), (A, ()), (A, (1, 1)), (9, (1,)), (HEAD, ())]
)
def test_nobody_else_has_a_key(rank: int, numbers: tuple[int, ...]) -> None:
    ring = root(A, B)
    ring.launch(A)
    assert ring.find(rank, numbers) is None


def test_by_the_key_of_one_launch_somebody_comes_once() -> None:
    ring = root(A)
    ring.launch(A)
    ring.launch(A)
    ring.arrived(A, (1,))
    assert ring.find(A, (1,)) is None
    assert ring.find(A, (2,)) is not None
    ring.arrived(A, (7, 1))  # an orphan's: it may lose us, too, and turn to another and to us again


@pytest.mark.parametrize("numbers", [(1,), (2, 1)])
def test_who_was_sent_away_does_not_come_again(numbers: tuple[int, ...]) -> None:
    ring = root(A, B)
    rank = A if len(numbers) == 1 else B
    ring.launch(A)
    child = below(ring, HEAD, A, [B])
    child.launch(B)
    assert ring.find(rank, numbers) is not None
    ring.refused(rank, numbers)
    assert ring.find(rank, numbers) is None
    assert ring.find(B, (2, 2)) is not None, "by another launch's key"


def test_so_many_that_were_sent_away_are_remembered() -> None:
    ring = root(A, B)
    below(ring, HEAD, A, [B])
    for number in range(keyring.MOST_REFUSED + 1):
        ring.refused(B, (1, number))
    assert ring.find(B, (1, 0)) is not None
    assert ring.find(B, (1, 1)) is None
    assert len(ring._refused) == keyring.MOST_REFUSED


def test_a_host_that_was_handed_on_is_no_more_launched_from_here() -> None:
    ring = root(A, B)
    ring.launch(B)
    child = below(ring, HEAD, A, [B])
    assert ring.find(B, (1,)) is None
    key, way = child.launch(B)
    assert way == ((HEAD, 2), (A, 1))
    assert ring.find(B, (2, 1)) == key
    assert child.find(B, (1,)) == key


def test_a_host_that_came_back_is_not_the_childs_any_more() -> None:
    """Nobody comes by a key that the child has told; and handed on again it has others."""
    ring = root(A, B, C)
    child = below(ring, HEAD, A, [B, C])
    key, _ = child.launch(B)
    ring.returned([B])
    assert ring.find(B, (1, 1)) is None
    assert ring.find(C, (1, 1)) is not None
    again = below(ring, HEAD, D, [B])
    other, _ = again.launch(B)
    assert other != key
    assert ring.find(B, (2, 1)) == other
    assert ring.find(B, (1, 1)) is None


def test_what_a_child_knew_opens_nothing_once_the_host_is_launched_from_here() -> None:
    """The child is lost, and nobody has turned up in its name."""
    ring = root(A, B)
    child = below(ring, HEAD, A, [B])
    child.launch(B)
    assert ring.find(B, (1, 1)) is not None
    key, _ = ring.launch(B)
    assert ring.find(B, (1, 1)) is None
    assert ring.find(B, (2,)) == key


def test_a_host_that_is_given_once_more_has_the_later_key() -> None:
    ring = Keyring(A)
    ring.take(B, b"1" * 16, ((HEAD, 1),))
    ring.launch(B)
    ring.take(B, b"2" * 16, ((HEAD, 5),))
    assert ring.find(B, (1,)) is None
    key, way = ring.launch(B)
    assert (key, way) == (keys.of_launch(b"2" * 16, 2), ((HEAD, 5), (A, 2)))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_every_ancestor_knows_the_key_at_the_end_of_a_way(shares: list[int]) -> None:
    """However many others each of them has handed on before."""
    rings = [root(*range(10, 20))]
    rings[0]._rank = 100
    for level, more in enumerate(shares):
        for _ in range(more):
            rings[-1].launch(10)
        rings.append(below(rings[-1], 100 + level, 101 + level, [10, 11]))
    key, way = rings[-1].launch(10)
    assert [rank for rank, _ in way] == list(range(100, 101 + len(shares)))
    for level, ring in enumerate(rings):
        assert ring.find(10, numbers_from(way, 100 + level) or ()) == key
        assert ring.find(11, numbers_from(way, 100 + level) or ()) != key


def test_the_numbers_from_a_node_on() -> None:
    way = ((HEAD, 5), (A, 7), (B, 9))
    assert numbers_from(way, HEAD) == (5, 7, 9)
    assert numbers_from(way, B) == (9,)
    assert numbers_from(way, C) is None
    assert numbers_from((), HEAD) is None
    assert numbers_from(((A, 1), (B, 2), (A, 3)), A) == (3,), "the last: a later agent of the same rank"


# -- families --------------------------------------------------------------------------------------


class Family:
    """The head, its child A, and below that B, which was given C and D."""

    def __init__(self) -> None:
        self.head = root(A, B, C, D)
        self.a = below(self.head, HEAD, A, [B, C, D])
        self.key, self.way = self.a.launch(B)
        self.b = below(self.a, A, B, [C, D])

    def shows(self, ring: Keyring, key: bytes, ranks: list[int]) -> bool:
        """Does the head take these for the family of who proves it so?"""
        ways, proof = ring.prove(key, HEAD, ranks)
        return self.head.proves(key, ranks, ways, proof)


def test_an_orphan_shows_that_its_hosts_were_given_to_it() -> None:
    family = Family()
    ways, proof = family.b.prove(family.key, HEAD, [C, D])
    assert ways == [([1, 2], [C, D])]
    assert family.head.proves(family.key, [C, D], ways, proof)
    assert family.shows(family.b, family.key, [D])
    assert family.shows(family.b, family.key, [])


def test_hosts_that_came_on_several_ways() -> None:
    family = Family()
    late = below(family.a, A, B, [D])
    family.b.take(D, late._keys[D], late._ways[D])
    ways, proof = family.b.prove(family.key, HEAD, [C, D])
    assert ways == [([1, 2], [C]), ([1, 3], [D])]
    assert family.head.proves(family.key, [C, D], ways, proof)


def test_nobody_speaks_for_hosts_that_were_not_given_to_it() -> None:
    """Be they its siblings', its parent's, or unknown: it has no keys for the proof, whatever way it names."""
    family = Family()
    ways, proof = family.b.prove(family.key, HEAD, [C])
    for claimed in ([A], [B], [D], [9], [C, D], [B, C]):
        others: list[list[tuple[list[int], list[int]]]] = [
            ways, [([1, 2], claimed)], [([1], claimed)], [([], claimed)], [([2], claimed)], []
        ]  # fmt: skip
        for way in others:
            assert not family.head.proves(family.key, claimed, way, proof)
    assert not family.head.proves(family.key, [C], [([], [C])], proof)
    assert not family.head.proves(family.key, [C], [], proof)


def test_a_proof_is_the_agents_own() -> None:
    """Whoever hears it can't use it: the key of the launch is in it, and so are all hosts that it is for."""
    family = Family()
    ways, proof = family.b.prove(family.key, HEAD, [C, D])
    assert not family.head.proves(b"x" * 16, [C, D], ways, proof)
    assert not family.head.proves(family.key, [C], ways, proof)
    assert not family.head.proves(family.key, [C, D], ways, proof[:-1] + b"\0")
    assert not family.head.proves(family.key, [C, D], ways, b"")


def test_hosts_that_came_back_are_nobody_s_family() -> None:
    family = Family()
    ways, proof = family.b.prove(family.key, HEAD, [C, D])
    family.head.returned([D])
    assert not family.head.proves(family.key, [C, D], ways, proof)
    assert family.shows(family.b, family.key, [C])
    below(family.head, HEAD, A, [D])  # and not again when they have been handed on again
    assert not family.shows(family.b, family.key, [C, D])


def test_the_head_shows_nothing_to_itself() -> None:
    """Of hosts whose way does not lead through the ancestor nothing can be shown."""
    family = Family()
    ways, proof = family.b.prove(family.key, 99, [C])
    assert ways == [([], [C])]
    assert not family.head.proves(family.key, [C], ways, proof)
