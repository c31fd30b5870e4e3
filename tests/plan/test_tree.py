"""The planned tree: who launches whom and when, what is said of it, and how it is drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot._version import __version__
from mpboot.plan.tree import PlannedNode, PlannedTree, plan_tree
from mpboot.tree.ledger import HEAD
from mpboot.tree.policy import ADAPTIVE, FLAT, LINEAR, RING, TOPOLOGIES, TREE


def letters(hosts: int) -> list[str]:
    return [chr(ord("a") + number) for number in range(hosts)]


def nodes(tree: PlannedTree) -> dict[int, tuple[int, int, int]]:
    return {rank: (node.parent, node.level, node.step) for rank, node in tree.nodes.items()}


# -- who launches whom, and when -------------------------------------------------------------------


def test_flat() -> None:
    tree = plan_tree(letters(3), FLAT, 0)
    assert nodes(tree) == {HEAD: (HEAD, 0, 0), 0: (HEAD, 1, 1), 1: (HEAD, 1, 1), 2: (HEAD, 1, 1)}
    assert tree.nodes[HEAD] == PlannedNode(HEAD, 0, 0, [0, 1, 2])
    assert (tree.levels, tree.steps, tree.widest) == (1, 1, 3)


def test_linear() -> None:
    tree = plan_tree(letters(3), LINEAR, 0)
    assert nodes(tree) == {HEAD: (HEAD, 0, 0), 0: (HEAD, 1, 1), 1: (HEAD, 1, 2), 2: (HEAD, 1, 3)}
    assert (tree.levels, tree.steps, tree.widest) == (1, 3, 3)


def test_ring() -> None:
    tree = plan_tree(letters(3), RING, 0)
    assert nodes(tree) == {HEAD: (HEAD, 0, 0), 0: (HEAD, 1, 1), 1: (0, 2, 2), 2: (1, 3, 3)}
    assert [tree.nodes[rank].children for rank in (HEAD, 0, 1, 2)] == [[0], [1], [2], []]
    assert (tree.levels, tree.steps, tree.widest) == (3, 3, 1)


def test_tree() -> None:
    tree = plan_tree(letters(8), TREE, 2)
    assert nodes(tree) == {
        HEAD: (HEAD, 0, 0), 0: (HEAD, 1, 1), 1: (HEAD, 1, 1), 2: (0, 2, 2), 3: (0, 2, 2), 5: (1, 2, 2), 6: (1, 2, 2),
        4: (2, 3, 3), 7: (5, 3, 3),
    }  # fmt: skip
    assert (tree.levels, tree.steps, tree.widest) == (3, 3, 2)
    assert (tree.topology, tree.children, tree.labels) == (TREE, 2, letters(8))


def test_an_adaptive_head_launches_eight_at_a_time_and_shares_what_is_worth_it() -> None:
    assert {node.step for node in plan_tree([*map(str, range(8))], ADAPTIVE, 0).nodes.values()} == {0, 1}
    few = plan_tree([*map(str, range(10))], ADAPTIVE, 0)
    assert (few.levels, few.steps, few.widest) == (1, 2, 10)
    many = plan_tree([*map(str, range(60))], ADAPTIVE, 3)
    assert {rank: node.step for rank, node in many.nodes.items() if node.step == 1} == {0: 1, 1: 1, 2: 1}
    assert (many.levels, many.steps, many.widest) == (3, 6, 12)


@given(st.sampled_from(TOPOLOGIES), st.integers(1, 5), st.integers(1, 120))
def test_every_host_has_one_place(topology: str, children: int, hosts: int) -> None:
    tree = plan_tree([f"h{number}" for number in range(hosts)], topology, children)
    assert set(tree.nodes) == {HEAD, *range(hosts)}
    found = sorted(child for node in tree.nodes.values() for child in node.children)
    assert found == list(range(hosts))
    for rank in range(hosts):
        node, parent = tree.nodes[rank], tree.nodes[tree.nodes[rank].parent]
        assert rank in parent.children
        assert (node.level, node.step > parent.step) == (parent.level + 1, True)
    if topology == TREE:
        assert tree.widest <= children
    assert sorted(line.lstrip("├─└│↓ ") for line in tree.drawing()) == sorted(["head", *tree.labels])


def test_what_no_topology_is() -> None:
    with pytest.raises(ValueError, match="no topology 'star'"):
        plan_tree(["a"], "star", 0)


# -- what is said of it ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hosts", "topology", "children", "summary"),
    [
        (1, FLAT, 0, "1 host, flat: 1 level, at most 1 child each, all up in the time of 1 launch"),
        (2, FLAT, 0, "2 hosts, flat: 1 level, at most 2 children each, all up in the time of 1 launch"),
        (2, RING, 0, "2 hosts, ring: 2 levels, at most 1 child each, all up in the time of 2 launches"),
        (8, TREE, 2, "8 hosts, tree: 3 levels, at most 2 children each, all up in the time of 3 launches"),
    ],
)
def test_summary(hosts: int, topology: str, children: int, summary: str) -> None:
    assert plan_tree(letters(hosts), topology, children).summary() == summary


def test_for_programs() -> None:
    assert plan_tree(["x", "y"], RING, 3).to_dict() == {
        "mpboot": __version__, "topology": "ring", "children": 3, "levels": 2, "steps": 2,
        "hosts": {"x": {"parent": "head", "level": 1, "step": 1}, "y": {"parent": "x", "level": 2, "step": 2}},
    }  # fmt: skip


def drawn(hosts: int, topology: str, children: int) -> str:
    return "".join(f"{line}\n" for line in plan_tree(letters(hosts), topology, children).drawing())


def test_drawings() -> None:
    assert drawn(3, FLAT, 0) == "head\n├── a\n├── b\n└── c\n"
    assert drawn(1, FLAT, 0) == "head\n↓   a\n"
    assert drawn(3, RING, 0) == "head\n↓   a\n↓   b\n↓   c\n"
    assert drawn(8, TREE, 2) == (
        "head\n├── a\n│   ├── c\n│   │   ↓   e\n│   └── d\n└── b\n    ├── f\n    │   ↓   h\n    └── g\n"
    )
