"""Orders: each calls the method of its kind, and those that say the same are equal."""

from __future__ import annotations

import pytest

from mpboot.tree.orders import Dismiss, Done, Fail, Kill, Launch, Order, Pause, Reclaim, Return, Share, perform


class Listener:
    """Carries nothing out; tells what it was called with."""

    def __init__(self) -> None:
        self.called: list[tuple[str, Order]] = []

    def launch(self, order: Launch) -> None:
        self.called.append(("launch", order))

    def kill(self, order: Kill) -> None:
        self.called.append(("kill", order))

    def pause(self, order: Pause) -> None:
        self.called.append(("pause", order))

    def share(self, order: Share) -> None:
        self.called.append(("share", order))

    def fail(self, order: Fail) -> None:
        self.called.append(("fail", order))

    def give_back(self, order: Return) -> None:
        self.called.append(("give back", order))

    def dismiss(self, order: Dismiss) -> None:
        self.called.append(("dismiss", order))

    def done(self, order: Done) -> None:
        self.called.append(("done", order))

    def reclaim(self, order: Reclaim) -> None:
        self.called.append(("reclaim", order))


# An order of each kind, how it is written, and others of its kind that say something else.
ORDERS: list[tuple[str, Order, str, list[Order]]] = [
    ("launch", Launch(3, 2), "Launch(attempt=2, rank=3)", [Launch(3, 1), Launch(2, 2)]),
    ("kill", Kill(3), "Kill(rank=3)", [Kill(4)]),
    ("pause", Pause([3], 0.5), "Pause(delay=0.5, ranks=[3])", [Pause([3], 0.6), Pause([], 0.5)]),
    ("share", Share(1, [3]), "Share(child=1, ranks=[3])", [Share(2, [3]), Share(1, [])]),
    ("fail", Fail(3, "auth"), "Fail(cause='auth', rank=3)", [Fail(4, "auth"), Fail(3, "lost")]),
    (
        "give back", Return([3], True, False), "Return(disabled=False, ranks=[3], tried=True)",
        [Return([3], False, False), Return([3], True, True), Return([], True, False)],
    ),
    ("dismiss", Dismiss(3), "Dismiss(rank=3)", [Dismiss(4)]),
    ("done", Done(2), "Done(shares=2)", [Done(3)]),
    ("reclaim", Reclaim(1, 5), "Reclaim(child=1, count=5)", [Reclaim(2, 5), Reclaim(1, 4)]),
]  # fmt: skip


def test_orders_are_carried_out_one_after_another_by_the_method_of_their_kind() -> None:
    by = Listener()
    perform([order for _, order, _, _ in ORDERS], by)
    assert by.called == [(name, order) for name, order, _, _ in ORDERS]


@pytest.mark.parametrize(("order", "written", "others"), [row[1:] for row in ORDERS], ids=[row[0] for row in ORDERS])
def test_orders_are_compared_by_what_they_say(order: Order, written: str, others: list[Order]) -> None:
    assert repr(order) == written
    assert order == order  # noqa: PLR0124  (not the identity: Order says what is equal)
    for other in others:
        assert order != other
    assert [row[1] for row in ORDERS if row[1] == order] == [order]


def test_an_order_is_no_text_of_the_same_words_and_no_key() -> None:
    assert Kill(3) != "Kill(rank=3)"
    with pytest.raises(TypeError):
        hash(Kill(3))


def test_an_order_of_no_kind_can_not_be_carried_out() -> None:
    with pytest.raises(TypeError, match="an order of no kind"):
        perform([Order()], Listener())
