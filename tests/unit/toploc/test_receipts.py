from __future__ import annotations

import math
import struct
from dataclasses import fields, replace

import numpy as np
import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from kizuna.errors import ContentMalformed, LimitExceeded
from kizuna.hashing import keccak
from kizuna.toploc import receipts
from kizuna.toploc.receipts import LEAF_BYTES, RECEIPT_BYTES, Leaf, Receipt

UINT = st.integers(0, 2**64 - 1)
DIGEST = st.binary(min_size=32, max_size=32)
RECEIPTS = st.builds(
    Receipt, UINT, UINT, UINT, UINT, UINT, UINT, UINT, DIGEST, DIGEST, DIGEST, UINT, DIGEST,
    st.integers(-(2**63), 2**63 - 1), st.integers(0, 1), DIGEST,
)  # fmt: skip
LEAVES = st.builds(
    Leaf, UINT, UINT, UINT, UINT, DIGEST, UINT, DIGEST, DIGEST, DIGEST, UINT, UINT,
    st.floats(0.0, allow_infinity=False), DIGEST,
)  # fmt: skip
RECEIPT_TYPES = ["uint256"] * 7 + ["bytes32"] * 3 + ["uint256", "bytes32", "int256", "uint256", "bytes32"]
LEAF_TYPES = ["uint256"] * 4 + ["bytes32", "uint256"] + ["bytes32"] * 3 + ["uint256"] * 2 + ["bytes32"] * 2


@given(RECEIPTS)
def test_a_receipt_is_what_solidity_encodes_and_comes_back(receipt: Receipt) -> None:
    values = [getattr(receipt, field.name) for field in fields(Receipt)]
    assert receipt.encode() == encode(RECEIPT_TYPES, values)
    assert Receipt.decode(receipt.encode()) == receipt


@given(LEAVES)
def test_a_leaf_is_what_solidity_encodes_and_comes_back(leaf: Leaf) -> None:
    values = [getattr(leaf, field.name) for field in fields(Leaf)]
    values[11] = struct.pack(">d", leaf.norm + 0.0) + bytes(24)
    assert leaf.encode() == encode(LEAF_TYPES, values)
    assert Leaf.decode(leaf.encode()) == leaf
    assert leaf.hash() == keccak(leaf.encode())


@given(st.binary(min_size=RECEIPT_BYTES, max_size=RECEIPT_BYTES) | RECEIPTS.map(Receipt.encode), st.integers(0, 14))
def test_receipts_are_decoded_only_from_their_one_encoding(data: bytes, word: int) -> None:
    for sample in (data, data[: 32 * word] + b"\x80" + data[32 * word + 1 :]):
        try:
            receipt = Receipt.decode(sample)
        except ContentMalformed:
            continue
        assert receipt.encode() == sample


RECEIPT = Receipt(1, 2, 3, 4, 5, 6, 7, *[bytes(32)] * 3, 8, bytes(32), -9, 1, bytes(32))  # type: ignore[arg-type]
LEAF = Leaf(1, 2, 3, 4, *[bytes(32)], 5, *[bytes(32)] * 3, 6, 7, 1.5, bytes(32))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RECEIPT, finish=2),
        replace(RECEIPT, task=2**64),
        replace(RECEIPT, token_count=2**255),
        replace(RECEIPT, reward=2**63),
        replace(RECEIPT, reward=-(2**63) - 1),
    ],
)
def test_receipts_out_of_range_are_refused(wrong: Receipt) -> None:
    with pytest.raises(ContentMalformed):
        Receipt.decode(wrong.encode())


@pytest.mark.parametrize("norm", [math.nan, math.inf, -1.0, -0.0])
def test_norms_have_one_encoding_and_are_finite(norm: float) -> None:
    data = LEAF.encode()
    with pytest.raises(ContentMalformed):
        Leaf.decode(data[: 11 * 32] + struct.pack(">d", norm) + data[11 * 32 + 8 :])
    if norm != 0:
        with pytest.raises(ValueError):
            receipts.norm_word(norm)


def test_bytes_behind_a_norm_are_refused() -> None:
    data = bytearray(LEAF.encode())
    data[12 * 32 - 1] = 1
    with pytest.raises(ContentMalformed):
        Leaf.decode(bytes(data))


def test_files_hold_whole_structs_up_to_a_limit() -> None:
    data = receipts.write_receipts([RECEIPT, replace(RECEIPT, index=6)])
    assert [receipt.index for receipt in receipts.read_receipts(data, 2)] == [5, 6]
    assert receipts.read_receipts(b"", 0) == []
    assert receipts.read_leaves(receipts.write_leaves([LEAF]), 1) == [LEAF]
    with pytest.raises(LimitExceeded):
        receipts.read_receipts(data, 1)
    with pytest.raises(LimitExceeded):
        receipts.read_leaves(bytes(LEAF_BYTES + 1), 1)
    with pytest.raises(ContentMalformed):
        receipts.read_receipts(data[:-1], 2)


def test_hashes_of_tokens_and_log_probabilities_are_of_little_endian_words() -> None:
    assert receipts.tokens_hash([1, 2**32 - 1]) == keccak(b"\1\0\0\0\xff\xff\xff\xff")
    assert receipts.tokens_hash([]) == receipts.logprobs_hash([]) == keccak(b"")
    assert receipts.logprobs_hash([-1.0]) == keccak(struct.pack("<f", -1.0))
    assert receipts.logprobs_hash(np.array([-0.1], dtype=">f8")) == keccak(struct.pack("<f", -0.1))
    for ids in ([-1], [2**32]):
        with pytest.raises(ValueError):
            receipts.tokens_hash(ids)
