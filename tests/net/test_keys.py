"""Keys of launches: derived by numbers on the way down, so that nobody can tell another's from his own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mpboot.net import keys, wire

SECRET = bytes(range(16))
numbers = st.integers(0, (1 << 32) - 1)
ways = st.lists(numbers, max_size=6)


@given(ways, ways)
def test_who_knows_the_numbers_on_the_way_knows_the_key_at_its_end(above: list[int], below: list[int]) -> None:
    key = keys.of_host(SECRET, 5)
    for number in [*above, *below]:
        key = keys.of_share(key, number)
    assert keys.along(keys.along(keys.of_host(SECRET, 5), above), below) == key


def test_no_two_are_alike() -> None:
    """Of hosts, of shares, of launches: each number, each order, each use has its own."""
    host = keys.of_host(SECRET, 5)
    made = [
        host, keys.of_host(SECRET, 6), keys.of_host(bytes(16), 5),
        keys.of_share(host, 1), keys.of_share(host, 2), keys.of_launch(host, 1), keys.of_launch(host, 2),
        keys.along(host, [1, 2]), keys.along(host, [2, 1]), keys.along(host, [1, 1]), keys.along(host, [12]),
        keys.of_launch(keys.of_share(host, 1), 1), keys.of_share(keys.of_launch(host, 1), 1),
    ]  # fmt: skip
    assert len(set(made)) == len(made)
    assert {len(key) for key in made} == {16}


def test_they_are_the_same_everywhere() -> None:
    """An ancestor of another version must not come to another key: these are the bytes of docs/protocol.md."""
    from hashlib import blake2s

    def mac(key: bytes, *parts: bytes) -> bytes:
        return blake2s(b"".join(parts), digest_size=16, key=key).digest()

    host = mac(SECRET, b"host", b"\0\0\0\5")
    assert keys.of_host(SECRET, 5) == host
    assert keys.of_share(host, 258) == mac(host, b"share", b"\0\0\1\2")
    assert keys.of_launch(host, 258) == mac(host, b"launch", b"\0\0\1\2")


def test_a_key_on_its_way_is_veiled_for_all_but_one() -> None:
    key, secret = bytes(range(16)), b"s" * 16
    veiled = keys.veiled(secret, key, (-1, 258), 3)
    pad = wire.mac(secret, b"veil", b"\xff\xff\xff\xff", b"\0\0\1\2", b"\0\0\0\3")
    assert veiled == bytes(one ^ other for one, other in zip(key, pad))
    assert keys.veiled(secret, veiled, (-1, 258), 3) == key
    others = [(b"t" * 16, (-1, 258), 3), (secret, (0, 258), 3), (secret, (-1, 259), 3), (secret, (-1, 258), 4)]
    assert all(keys.veiled(one, veiled, step, rank) != key for one, step, rank in others)
