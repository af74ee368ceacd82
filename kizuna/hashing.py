"""Keccak-256 and the fixed-width encoding the contracts hash with (docs/protocol.md).

Everything that is hashed here is hashed in Solidity too, as `keccak256(abi.encode(...))` with every
field widened to one 32-byte word, so no two different lists of values share an encoding.
"""

from __future__ import annotations

from functools import cache

try:  # A C extension, six times faster on short inputs than the portable fallback.
    from sha3 import keccak_256 as _keccak_256  # type: ignore[import-untyped, import-not-found, unused-ignore]

    def keccak(data: bytes | bytearray | memoryview) -> bytes:
        """Keccak-256 (the padding of 2011, as in the EVM, not that of FIPS 202)."""
        return bytes(_keccak_256(data).digest())

except ImportError:  # pragma: no cover - platforms without a wheel
    from eth_hash.auto import keccak as _eth_keccak

    def keccak(data: bytes | bytearray | memoryview) -> bytes:
        """Keccak-256 (the padding of 2011, as in the EVM, not that of FIPS 202)."""
        return _eth_keccak(bytes(data))


WORD_BYTES = 32
_MODULUS = 1 << 256


def abi_word(value: int | bytes) -> bytes:
    """One 32-byte word: a uint256, an int256 in two's complement, or a bytes32.

    Raises ValueError for integers outside int256 and uint256 and for bytes that are not 32 long
    (shorter ones could be padded on either side, so the caller has to say).
    """
    if isinstance(value, int):
        if not -(1 << 255) <= value < _MODULUS:
            raise ValueError("integer does not fit a 256-bit word")
        return (value % _MODULUS).to_bytes(WORD_BYTES, "big")
    if len(value) != WORD_BYTES:
        raise ValueError(f"bytes32 expected, got {len(value)} bytes")
    return bytes(value)


def abi_words(*values: int | bytes) -> bytes:
    """`abi.encode` of values that are all static: their words in order, 32 bytes each."""
    return b"".join([abi_word(value) for value in values])


@cache
def tag_hash(tag: str) -> bytes:
    """keccak of a domain tag's UTF-8 bytes. Tags are constants of the code, so the cache stays small."""
    return keccak(tag.encode())


def tagged(tag: str, *values: int | bytes) -> bytes:
    """keccak(abi(keccak(tag), *values)): a hash that no other tag can produce."""
    return keccak(tag_hash(tag) + abi_words(*values))
