"""Counter-based sampling noise: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011).

Noise is a pure function of (key, rollout, position, token), so whether a token was sampled honestly
can be decided later, alone and in any order. No library generator is used: their streams are not
specified, and a draw must not depend on the rows beside it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kizuna.rl.config import NoiseKey

U32 = npt.NDArray[np.uint32]
_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_BELOW_ONE = float(np.nextafter(1.0, 0.0))


def philox(counter: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike], key: NoiseKey) -> U32:
    """Ten rounds over counters of four 32-bit words that broadcast to shape S: (4, *S) uint32."""
    c0, c1, c2, c3 = (np.array(c, dtype=np.uint64) for c in np.broadcast_arrays(*counter))
    k0, k1 = key
    for _ in range(10):
        p0, p1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (p1 >> _SHIFT) ^ c1 ^ np.uint64(k0),
            p1 & _MASK,
            (p0 >> _SHIFT) ^ c3 ^ np.uint64(k1),
            p0 & _MASK,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3]).astype(np.uint32)


def gumbel(
    key: NoiseKey, rollouts: npt.NDArray[np.int64], positions: npt.NDArray[np.int64], vocab: int
) -> npt.NDArray[np.float64]:
    """Gumbel noise (N, vocab) in fp64 for N (rollout, position) pairs; positions count completion tokens from 0."""
    tokens = np.arange(vocab)[None, :]
    words = philox((tokens, np.asarray(positions)[:, None], np.asarray(rollouts)[:, None], 0), key)
    return np.asarray(-np.log(-np.log(unit(words[0], words[1]))), dtype=np.float64)


def unit(first: U32, second: U32) -> npt.NDArray[np.float64]:
    """Two words as a number strictly between 0 and 1, of 53 bits."""
    h = first.astype(np.uint64) * np.uint64(1 << 21) + (second >> np.uint32(11)).astype(np.uint64)
    u = (h.astype(np.float64) + 0.5) * 2.0**-53
    # The very last value rounds to 1, whose noise would be infinite and decide the draw whatever the model says.
    return np.minimum(u, _BELOW_ONE)


def signs(key: NoiseKey, rows: int, count: int, *, start: int = 0) -> npt.NDArray[np.float64]:
    """A (rows, count) matrix of +-1 in fp64: entry (r, start + i) is a function of key, r and start + i alone.

    `start` has to be a multiple of 128, the bits of one block.
    """
    if start % 128:
        raise ValueError("start must be a multiple of 128")
    blocks = -(-count // 128)
    words = philox((np.arange(start // 128, start // 128 + blocks)[None, :], 0, np.arange(rows)[:, None], 1), key)
    flat = np.ascontiguousarray(words.transpose(1, 2, 0)).astype("<u4")
    bits = np.unpackbits(flat.reshape(rows, -1).view(np.uint8), axis=1, bitorder="little")
    return bits[:, :count].astype(np.float64) * 2.0 - 1.0
