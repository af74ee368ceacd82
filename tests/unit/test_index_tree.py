from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna import index_tree
from kizuna.hashing import keccak

LEAVES = [bytes([i]) * 33 for i in range(70)]


def by_definition(leaves: list[bytes]) -> bytes:
    """The root as the protocol page words it: a recursion over a full tree, missing subtrees being zero."""
    depth = 0
    while 1 << depth < len(leaves):
        depth += 1

    def node(level: int, at: int) -> bytes:
        if at << level >= len(leaves):
            return bytes(32)
        if level == 0:
            return keccak(b"\x00" + leaves[at])
        return keccak(b"\x01" + node(level - 1, 2 * at) + node(level - 1, 2 * at + 1))

    return keccak(b"\x02" + len(leaves).to_bytes(8, "big") + node(depth, 0))


@pytest.mark.parametrize("count", range(71))
def test_every_leaf_proves_its_index_and_no_other(count: int) -> None:
    leaves = LEAVES[:count]
    root = index_tree.root(leaves)
    assert root == by_definition(leaves)
    for index in range(count):
        proof = index_tree.prove(leaves, index)
        assert index_tree.verify(root, count, index, leaves[index], proof)
        for other in {0, index - 1, index + 1, index ^ 1, count - 1, count} - {index}:
            assert not index_tree.verify(root, count, other, leaves[index], proof)


def test_a_proof_binds_the_count() -> None:
    root, proof = index_tree.root(LEAVES[:5]), index_tree.prove(LEAVES[:5], 0)
    assert [n for n in range(70) if index_tree.verify(root, n, 0, LEAVES[0], proof)] == [5]


def test_an_inner_node_cannot_pass_for_a_leaf() -> None:
    left, right = (keccak(b"\x00" + leaf) for leaf in LEAVES[:2])
    root = index_tree.root(LEAVES[:2])
    assert not index_tree.verify(root, 1, 0, left + right, ())
    assert not index_tree.verify(root, 1, 0, b"\x01" + left + right, ())


def test_padding_with_an_empty_leaf_changes_the_root() -> None:
    assert index_tree.root([b"a", b"b", b"c"]) != index_tree.root([b"a", b"b", b"c", b""])
    assert index_tree.root([]) != index_tree.root([b""])


@given(
    st.integers(-2, 2**65),
    st.integers(-2, 2**65),
    st.binary(max_size=40),
    st.lists(st.binary(min_size=31, max_size=33), max_size=70),
)
def test_verification_refuses_anything_without_raising(count: int, index: int, leaf: bytes, proof: list[bytes]) -> None:
    assert not index_tree.verify(bytes(32), count, index, leaf, proof)


def test_only_leaves_that_exist_can_be_proved() -> None:
    for index in (-1, 3):
        with pytest.raises(IndexError):
            index_tree.prove(LEAVES[:3], index)
