"""Ranks as a short text, such as 0-4,9: thousands of them fit into a frame."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List


def pack(ranks: Iterable[int]) -> str:
    """The text; order and repeats are lost."""
    runs: List[List[int]] = []
    for rank in sorted(set(ranks)):
        if runs and rank == runs[-1][1] + 1:
            runs[-1][1] = rank
        else:
            runs.append([rank, rank])
    return ",".join("%d" % first if first == last else "%d-%d" % (first, last) for first, last in runs)


def unpack(text: str, most: int) -> List[int]:
    """The ranks in rising order, at most so many. ValueError, before anything large is made."""
    ranks: List[int] = []
    if not text.isascii():
        raise ValueError("no ranks")  # digits of other scripts are digits to Python
    for run in text.split(",") if text else ():
        first, dash, last = run.partition("-")
        if not (first.isdigit() and len(first) < 10 and (last.isdigit() if dash else True) and len(last) < 10):
            raise ValueError("no ranks")
        begin, end = int(first), int(last or first)
        if end < begin or (ranks and begin <= ranks[-1]) or len(ranks) + end - begin >= most:
            raise ValueError("too many ranks, or in no order")
        ranks += range(begin, end + 1)
    return ranks
