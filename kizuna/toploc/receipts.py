"""The two committed structs: one receipt per rollout, one leaf per boundary (docs/protocol.md, "Contribution").

Both are `abi.encode` of fixed-width fields, so Solidity can decode what a proof shows. Decoding is
strict: only bytes that encoding produces are accepted.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from kizuna.errors import ContentMalformed, LimitExceeded
from kizuna.hashing import WORD_BYTES, abi_words, keccak
from kizuna.types import Digest, Finish

T = TypeVar("T")

RECEIPT_BYTES = 15 * WORD_BYTES
LEAF_BYTES = 13 * WORD_BYTES
MAX_UINT = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a trainer claims of one rollout. `reward` is signed, in 1e-6; hashes are 32 bytes."""

    task: int
    round: int
    slot: int
    step: int
    index: int
    group: int
    policy: int
    base: Digest
    prompt_hash: Digest
    token_hash: Digest
    token_count: int
    logprob_hash: Digest
    reward: int
    finish: int
    proof_hash: Digest

    def encode(self) -> bytes:
        """480 bytes."""
        return abi_words(
            self.task, self.round, self.slot, self.step, self.index, self.group, self.policy, self.base,
            self.prompt_hash, self.token_hash, self.token_count, self.logprob_hash, self.reward, self.finish,
            self.proof_hash,
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> Receipt:
        """Raises ContentMalformed unless `data` is what `encode` gives for a receipt in range."""
        words = _Words(data, RECEIPT_BYTES)
        receipt = cls(
            words.uint(), words.uint(), words.uint(), words.uint(), words.uint(), words.uint(), words.uint(),
            words.digest(), words.digest(), words.digest(), words.uint(), words.digest(), words.int64(),
            words.uint(), words.digest(),
        )  # fmt: skip
        if receipt.finish not in tuple(Finish):
            raise ContentMalformed("receipt: finish reason is not known")
        return receipt


@dataclass(frozen=True, slots=True)
class Leaf:
    """The state before segment j and the receipts that the segment consumes. `norm` is an L2 distance."""

    task: int
    round: int
    slot: int
    j: int
    previous: Digest
    first_step: int
    weights: Digest
    exp_avg: Digest
    exp_avg_sq: Digest
    first_receipt: int
    receipt_count: int
    norm: float
    numerics_id: Digest

    def encode(self) -> bytes:
        """416 bytes. Raises ValueError for a norm that is negative or not finite."""
        return abi_words(
            self.task, self.round, self.slot, self.j, self.previous, self.first_step, self.weights, self.exp_avg,
            self.exp_avg_sq, self.first_receipt, self.receipt_count, norm_word(self.norm), self.numerics_id,
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> Leaf:
        """Raises ContentMalformed unless `data` is what `encode` gives for a leaf in range."""
        words = _Words(data, LEAF_BYTES)
        return cls(
            words.uint(), words.uint(), words.uint(), words.uint(), words.digest(), words.uint(), words.digest(),
            words.digest(), words.digest(), words.uint(), words.uint(), words.norm(), words.digest(),
        )  # fmt: skip

    def hash(self) -> Digest:
        """The `previous` of the next leaf."""
        return Digest(keccak(self.encode()))


def norm_word(norm: float) -> Digest:
    """A norm as bytes32: big-endian fp64 in the first 8 bytes. Raises ValueError if negative or not finite."""
    if not 0.0 <= norm < float("inf"):
        raise ValueError("a norm is finite and not negative")
    return Digest(struct.pack(">d", norm + 0.0) + bytes(24))  # + 0.0: minus zero has other bytes


def tokens_hash(ids: ArrayLike) -> Digest:
    """keccak of token ids as little-endian uint32. Raises ValueError for ids outside uint32."""
    wide = np.asarray(ids, dtype=np.int64)
    if wide.size and not 0 <= int(wide.min()) <= int(wide.max()) < 1 << 32:
        raise ValueError("token ids are uint32")
    return Digest(keccak(wide.astype("<u4").tobytes()))


def logprobs_hash(logprobs: ArrayLike) -> Digest:
    """keccak of log-probabilities as little-endian fp32."""
    return Digest(keccak(np.asarray(logprobs, dtype="<f4").tobytes()))


def write_receipts(receipts: Sequence[Receipt]) -> bytes:
    """The `receipts` file: the structs one after the other."""
    return b"".join([receipt.encode() for receipt in receipts])


def write_leaves(leaves: Sequence[Leaf]) -> bytes:
    """The `leaves` file: the structs one after the other."""
    return b"".join([leaf.encode() for leaf in leaves])


def read_receipts(data: bytes, limit: int) -> list[Receipt]:
    """The receipts of a file. Raises LimitExceeded above `limit` of them, ContentMalformed for a bad one."""
    return _read(data, limit, RECEIPT_BYTES, Receipt.decode)


def read_leaves(data: bytes, limit: int) -> list[Leaf]:
    """The leaves of a file. Raises LimitExceeded above `limit` of them, ContentMalformed for a bad one."""
    return _read(data, limit, LEAF_BYTES, Leaf.decode)


def _read(data: bytes, limit: int, size: int, decode: Callable[[bytes], T]) -> list[T]:
    if len(data) > limit * size:
        raise LimitExceeded(f"file of {len(data)} bytes; at most {limit} structs of {size} are allowed")
    if len(data) % size:
        raise ContentMalformed("file does not end with a whole struct")
    return [decode(data[at : at + size]) for at in range(0, len(data), size)]


class _Words:
    """Reads the words of one struct in order."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, size: int) -> None:
        if len(data) != size:
            raise ContentMalformed(f"struct of {len(data)} bytes instead of {size}")
        self._data, self._at = data, 0

    def digest(self) -> Digest:
        self._at += WORD_BYTES
        return Digest(self._data[self._at - WORD_BYTES : self._at])

    def uint(self) -> int:
        value = int.from_bytes(self.digest(), "big")
        if value > MAX_UINT:
            raise ContentMalformed("struct: integer above 64 bits")
        return value

    def int64(self) -> int:
        value = int.from_bytes(self.digest(), "big", signed=True)
        if not -(1 << 63) <= value < 1 << 63:
            raise ContentMalformed("struct: integer above 64 bits")
        return value

    def norm(self) -> float:
        raw = self.digest()
        norm: float = struct.unpack(">d", raw[:8])[0]
        if not 0.0 <= norm < float("inf") or norm_word(norm) != raw:
            raise ContentMalformed("struct: norm is not a canonical finite number")
        return norm
