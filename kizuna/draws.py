"""Every draw of the protocol (docs/protocol.md, "Draws"): pure functions of beacons and secrets.

Rejection sampling, never modulo: a remainder would favour low positions, and everyone must be able
to trust that a committee is uniform. Mirrored by the Solidity library `Draw`; shared vectors pin both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import count as naturals
from itertools import pairwise

from kizuna.hashing import abi_words, keccak, tag_hash, tagged
from kizuna.types import ZERO_DIGEST

DRAW_TAG = "kizuna.draw.v1"
SECRETS_TAG = "kizuna.secrets.v1"
MAX_FORWARD = 256
"""The most links the contract hashes forward when a secret is opened."""


class DrawKind(IntEnum):
    """What a draw decides; the number stands in its hash."""

    ATTEST = 0
    CHECK = 1
    SEGMENT = 2
    ROLLOUT = 3
    AUDIT = 4
    SAMPLE = 5
    EVIDENCE = 6


@dataclass(frozen=True, slots=True)
class Draw:
    """All that one sequence of random words depends on. `beacon` and `secret` are 32 bytes."""

    task: int
    round: int
    beacon: bytes
    kind: DrawKind
    secret: bytes = ZERO_DIGEST
    seat: int = 0
    slot: int = 0


def word(draw: Draw, i: int = 0) -> int:
    """The i-th uniform 256-bit word of a draw."""
    prefix = _prefix(draw)
    return int.from_bytes(keccak(prefix + i.to_bytes(32, "big")), "big")


def below(draw: Draw, n: int) -> int:
    """A uniform integer in 0..n-1. Raises ValueError if n < 1."""
    if n < 1:
        raise ValueError("cannot draw from nothing")
    return sample(draw, n, 1)[0]


def sample(draw: Draw, n: int, k: int) -> tuple[int, ...]:
    """k distinct integers of 0..n-1 in draw order; all of them in ascending order when k >= n."""
    if k >= n:
        return tuple(range(max(n, 0)))
    mask = (1 << (n - 1).bit_length()) - 1
    prefix = _prefix(draw)
    drawn: dict[int, None] = {}
    for i in naturals():
        if len(drawn) >= k:
            break
        value = int.from_bytes(keccak(prefix + i.to_bytes(32, "big")), "big") & mask
        if value < n:
            drawn.setdefault(value)
    return tuple(drawn)


def committee(
    kind: DrawKind, active: Sequence[int], size: int, *, task: int, round: int, beacon: bytes, shard: int
) -> tuple[int, ...]:
    """The positions of a shard's attesters (kind ATTEST, seed beacon) or checkers (CHECK, seal beacon).

    `active` holds the active verifier positions in ascending order. Raises ValueError if it does not:
    another order would give another committee.
    """
    if any(a >= b for a, b in pairwise(active)):
        raise ValueError("positions must ascend")
    draw = Draw(task, round, beacon, kind, slot=shard)
    return tuple(active[i] for i in sample(draw, len(active), size))


def segments(
    total: int, size: int, *, task: int, round: int, seal: bytes, secret: bytes, seat: int, slot: int
) -> tuple[int, ...]:
    """The segments of 0..total-1 that a checker re-runs of one trainer slot."""
    return sample(Draw(task, round, seal, DrawKind.SEGMENT, secret, seat, slot), total, size)


def groups(
    segment: int,
    per_segment: int,
    size: int,
    *,
    task: int,
    round: int,
    seal: bytes,
    secret: bytes,
    seat: int,
    slot: int,
) -> tuple[int, ...]:
    """The groups, numbered within the round, that a checker examines: drawn inside its first drawn `segment`."""
    draw = Draw(task, round, seal, DrawKind.ROLLOUT, secret, seat, slot)
    return tuple(segment * per_segment + g for g in sample(draw, per_segment, size))


def audited(rate: int, *, task: int, round: int, audit: bytes, seat: int) -> bool:
    """Whether a checker's evidence is audited, with probability rate / 2^32 (2^32 means always)."""
    return word(Draw(task, round, audit, DrawKind.AUDIT, seat=seat)) & 0xFFFFFFFF < rate


def audit_sample(passes: int, per_pass: int, *, task: int, round: int, audit: bytes, seat: int) -> int:
    """Which of a seat's passes * per_pass passed items it must show. Raises ValueError if there are none."""
    return below(Draw(task, round, audit, DrawKind.SAMPLE, seat=seat), passes * per_pass)


class SecretChain:
    """A verifier's secrets s_n, s_{n-1} = keccak(s_n), ..., s_0; `tip` = s_0 is registered when it joins."""

    __slots__ = ("_links",)

    def __init__(self, last: bytes, length: int) -> None:
        links = [last]
        for _ in range(length):
            links.append(keccak(links[-1]))
        self._links = links[::-1]

    def __len__(self) -> int:
        return len(self._links) - 1

    @property
    def tip(self) -> bytes:
        return self._links[0]

    def link(self, k: int) -> bytes:
        """s_k for k in 1..length. Raises IndexError outside, s_0 included: the tip is public."""
        if not 1 <= k < len(self._links):
            raise IndexError("the secret chain does not reach this round")
        return self._links[k]

    def secret(self, round: int, *, active_from: int) -> bytes:
        """The secret of a round: s_{round - active_from + 1}. A missed reveal does not shift it."""
        return self.link(round - active_from + 1)


def secret_chain(seed_key: bytes, length: int, *, context: Sequence[int | bytes] = ()) -> SecretChain:
    """The chain of `length` secrets that follows from a key, so that nothing is lost on a restart.

    `context` has to name chain id, contract, task and join (for example the slot's activeFrom): a chain
    used a second time would draw from secrets that the first use made public.
    """
    return SecretChain(tagged(SECRETS_TAG, keccak(seed_key), *context), length)


def leads_to(secret: bytes, anchor: bytes, steps: int) -> bool:
    """Whether hashing `secret` `steps` times (at most 256, as in the contract) gives `anchor`."""
    if len(secret) != 32 or not 0 <= steps <= MAX_FORWARD:
        return False
    for _ in range(steps):
        secret = keccak(secret)
    return secret == anchor


def _prefix(draw: Draw) -> bytes:
    fields = (draw.task, draw.round, draw.beacon, draw.secret, draw.seat, draw.slot, int(draw.kind))
    return tag_hash(DRAW_TAG) + abi_words(*fields)
