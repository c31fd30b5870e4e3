"""What of files travels: entries, plans, who is asked for blocks."""

from __future__ import annotations

import hashlib
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.net import files

PATHS = st.lists(
    st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=8).filter(
        lambda part: part not in (".", "..")
    ),
    min_size=1, max_size=4,
).map("/".join)  # fmt: skip
ENTRIES = st.builds(
    files.Entry, PATHS, st.just(files.FILE), st.integers(0, 0o7777), st.integers(-(10**18), 10**18),
    st.integers(0, 3 * files.BLOCK),
) | st.builds(files.Entry, PATHS, st.just(files.LINK), st.just(0o777), st.just(0), st.just(0), PATHS)  # fmt: skip


@given(st.lists(ENTRIES, max_size=5))
def test_a_plan_comes_as_it_was_sent(entries: list[files.Entry]) -> None:
    blocks = sum(len(entry.cut()) for entry in entries)
    plan = files.Plan("/there", True, False, True, b"k" * 16, entries, files.SHA256, b"d" * files.DIGEST * blocks)
    again = files.Plan.of(json.loads(json.dumps(plan.to_dict())))
    assert again.to_dict() == plan.to_dict()


@given(ENTRIES)
def test_blocks_are_all_of_a_file(entry: files.Entry) -> None:
    cut = entry.cut()
    assert sum(size for _, size in cut) == (entry.size if entry.kind == files.FILE else 0)
    assert [offset for offset, _ in cut] == [number * files.BLOCK for number in range(len(cut))]
    assert all(0 < size <= files.BLOCK for _, size in cut)


@pytest.mark.parametrize(
    "path", ["", "/", "/etc/passwd", "a/../../etc", "..", ".", "a//b", "a/./b", "a/", "a\0b", 7, None, "x" * 5000]
)
def test_paths_that_lead_elsewhere(path: object) -> None:
    with pytest.raises(ValueError, match=r"no path|no text"):
        files.Entry.of([path, "f", 0o644, 0, 0, ""])


@pytest.mark.parametrize(
    "row",
    [
        ["a", "x", 0, 0, 0, ""], ["a", "f", 0o10000, 0, 0, ""], ["a", "f", 0, "x", 0, ""], ["a", "f", 0, 0, -1, ""],
        ["a", "d", 0, 0, 5, ""], ["a", "f", 0, 0, 0], "a", ["a", "f", True, 0, 0, ""],
    ],
)  # fmt: skip
def test_rows_that_are_none(row: object) -> None:
    with pytest.raises(ValueError, match=r"no |number"):
        files.Entry.of(row)


def test_a_plan_without_a_digest_for_each_block() -> None:
    plan = files.Plan("/there", True, False, True, b"", [files.Entry("a", "f", 0, 0, 1)], files.BLAKE2B, b"")
    with pytest.raises(ValueError, match="not a digest for each block"):
        files.Plan.of(plan.to_dict())


@given(st.integers(1, 40), st.integers(1, 6))
def test_whom_a_host_asks(count: int, chains: int) -> None:
    """Those before it in its chain, the nearest first, and the head at last; the first of each chain only the head."""
    order: list[tuple[str, files.Where]] = [
        (f"h{number}", ([f"10.0.0.{number}"], 1 + number)) for number in range(count)
    ]
    head: files.Where = (["10.9.9.9"], 99)
    for at, (label, _) in enumerate(order):
        asked = files.upstream(order, label, head, chains)
        assert asked[-1] == ("", head)
        assert [order.index(one) for one in asked[:-1]] == list(range(at - chains, -1, -chains))
    assert files.upstream(order, "somebody else", head, chains)[-1] == ("", head)


def test_those_who_come_late_do_not_all_ask_the_head() -> None:
    """As where 140 of 147 hosts are slow to say where they listen: the head would send a copy to each."""
    head: files.Where = (["head"], 1)
    order: list[tuple[str, files.Where]] = [(f"h{number}", ([f"h{number}"], 1)) for number in range(7)]
    late = [files.upstream(order, f"h{number}", head, 4) for number in range(7, 147)]
    first = [asked[0][0] for asked in late]
    assert {first.count(f"h{number}") >= 10 for number in range(7)} == {True}
    assert all(asked[-1] == ("", head) for asked in late)
    assert files.upstream([], "h1", head, 4) == [("", head)]


@given(st.sets(st.integers(0, 60)))
def test_numbers_as_ranges(numbers: set[int]) -> None:
    found = files.ranges(sorted(numbers))
    assert {number for first, end in found for number in range(first, end)} == numbers
    assert all(end < first for (_, end), (first, _) in zip(found, found[1:]))


@pytest.mark.parametrize("name", files.HASHES)
def test_digests_are_of_one_length_and_tell_apart(name: str) -> None:
    digest = files.hashing(name)
    assert len(digest(b"x")) == files.DIGEST
    assert digest(b"x") == digest(bytearray(b"x")) != digest(b"y")


def test_a_hash_that_nobody_knows() -> None:
    plan = files.Plan("/there", True, False, True, b"", [], files.BLAKE2B, b"").to_dict()
    plan["hash"] = "crc32"
    with pytest.raises(ValueError, match="no such hash"):
        files.Plan.of(plan)


def test_without_openssl_the_hash_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = files.hashing(files.SHA256)(b"x")
    monkeypatch.setitem(sys.modules, "_hashlib", None)
    assert files.hashing(files.SHA256)(b"x") == expected == hashlib.sha256(b"x").digest()[: files.DIGEST]
