"""Why launches of this node and of nodes below it failed: kept until the parent has been told."""

from __future__ import annotations

from mpboot.net import messages
from mpboot.net.records import TOLD
from mpboot.net.work import Verdict
from mpboot.tree import causes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Mapping

    from mpboot.tree import orders


MOST_NAMED = 8  # hosts that a node says it could not launch
ABOVE_LOST = "a host above it in the tree was lost, and it has not turned to another"


class Verdicts:
    """The latest verdict on each host; ``launcher``: this node's rank."""

    def __init__(self, launcher: int) -> None:
        self._launcher = launcher
        self._by_rank: Dict[int, Verdict] = {}

    def keep(self, rank: int, verdict: Verdict) -> None:
        """A launch of ``rank`` has failed, or its agent is lost."""
        self._by_rank[rank] = verdict

    def failed(self, order: orders.Fail, attempts: int) -> messages.Failed:
        """The record of a host that failed for good, by the order's cause."""
        rank, cause = order.rank, order.cause
        verdict = self._by_rank.get(rank)
        if verdict is None or verdict.cause != cause:
            detail = ABOVE_LOST if cause == causes.LOST else ""
            return messages.Failed(rank, cause, "", attempts, self._launcher, detail, "")
        return messages.Failed(rank, cause, verdict.phase, attempts, self._launcher, verdict.detail, verdict.stderr)

    def returned(self, order: orders.Return, attempts: Dict[int, int]) -> List[messages.Returned]:
        """The records of hosts that are given back, with their ``attempts`` by rank, in one frame or more."""
        hosts = []
        for rank in order.ranks:
            verdict = self._by_rank.get(rank) if order.tried else None
            why = messages.Why(verdict.cause, verdict.phase, verdict.detail, verdict.stderr) if verdict else None
            hosts.append(messages.HostBack(rank, attempts[rank], why))
        groups = list(messages.HostBack.groups(hosts)) or [[]]
        return [messages.Returned(group, order.tried, order.disabled) for group in groups]

    def take_back(self, host: messages.HostBack) -> None:
        """A child gives a host back that it may have tried in vain."""
        if host.why is not None:
            self.keep(host.rank, Verdict(host.why.cause, host.why.phase, host.why.detail, [], host.why.stderr))

    def why_disabled(self, order: orders.Return, hosts: Mapping[int, messages.HostOrder]) -> str:
        """Why this node launches no others: the cause, some hosts that it could not launch for it, and the detail.

        Empty where nothing is known of any of these hosts. ``hosts``: by rank.
        """
        first = next((self._by_rank[rank] for rank in order.ranks if rank in self._by_rank), None)
        if first is None:
            return ""
        alike = [hosts[rank].label for rank, verdict in self._by_rank.items() if verdict.cause == first.cause]
        return ("%s: launching %s: %s" % (first.cause, ",".join(alike[:MOST_NAMED]), first.detail))[:TOLD]
