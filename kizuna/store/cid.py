"""Content ids: CIDv1 with sha2-256 and one of the three codecs that Kizuna uses.

Source: https://github.com/multiformats/cid. Anything else (CIDv0, other hashes, identity, other bases or letter
cases) is refused, so that one piece of content has one id and one spelling.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from kizuna.errors import BlockCorrupt, ContentMalformed

RAW = 0x55
DAG_PB = 0x70
DAG_CBOR = 0x71
CODECS = frozenset({RAW, DAG_PB, DAG_CBOR})

_VERSION = b"\x01"
_SHA2_256 = b"\x12\x20"  # multihash function and digest length
_TEXT_LENGTH = 59  # "b" and 36 bytes in base32 without padding


@dataclass(frozen=True, slots=True, order=True)
class Cid:
    """A 32-byte sha2-256 digest and the codec that says how to read the block."""

    digest: bytes
    codec: int = RAW

    def __post_init__(self) -> None:
        if type(self.digest) is not bytes or len(self.digest) != 32:
            raise ContentMalformed("content id: the digest is not 32 bytes")
        if self.codec not in CODECS:
            raise ContentMalformed(f"content id: codec {self.codec:#x} is not raw, dag-pb or dag-cbor")

    @classmethod
    def of(cls, block: bytes, codec: int = RAW) -> Cid:
        """The id of a block."""
        return cls(hashlib.sha256(block).digest(), codec)

    @classmethod
    def parse(cls, source: str | bytes) -> Cid:
        """Read the base32 text or the 36 bytes of a CID; raises ContentMalformed for any other spelling."""
        return cls._of_text(source) if isinstance(source, str) else cls._of_bytes(source)

    @classmethod
    def _of_bytes(cls, source: bytes) -> Cid:
        # Every codec here is a one-byte varint, so a CID is exactly 36 bytes.
        if len(source) != 36 or source[:1] != _VERSION or source[2:4] != _SHA2_256:
            raise ContentMalformed("content id: not a CIDv1 with sha2-256")
        return cls(bytes(source[4:]), source[1])

    @classmethod
    def _of_text(cls, source: str) -> Cid:
        shown = ascii(source[:80])
        if len(source) != _TEXT_LENGTH or not source.startswith("b"):
            raise ContentMalformed(f"content id: {shown} is not a base32 CIDv1 with sha2-256")
        try:
            cid = cls._of_bytes(base64.b32decode(source[1:].upper() + "======"))
        except ValueError:
            raise ContentMalformed(f"content id: {shown} is not base32") from None
        if str(cid) != source:  # capitals, or stray bits behind the last byte
            raise ContentMalformed(f"content id: {shown} is not in its canonical spelling")
        return cid

    @property
    def binary(self) -> bytes:
        """The 36 bytes that stand in links."""
        return _VERSION + bytes([self.codec]) + _SHA2_256 + self.digest

    def check(self, block: bytes) -> None:
        """Raise BlockCorrupt unless the block has this id."""
        if hashlib.sha256(block).digest() != self.digest:
            raise BlockCorrupt(f"{len(block)} bytes do not hash to {self}")

    def __str__(self) -> str:
        return "b" + base64.b32encode(self.binary).decode().rstrip("=").lower()
