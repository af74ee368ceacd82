"""Unsigned LEB128 as protobuf, multiformats and CAR use it, in its shortest form only."""

from __future__ import annotations

from kizuna.errors import ContentMalformed


def encode(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode(data: bytes, at: int) -> tuple[int, int]:
    """The value at an offset and the offset behind it; raises ContentMalformed."""
    value = shift = 0
    for index in range(at, min(at + 9, len(data))):  # 9 bytes: below 2^63
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and index > at:
                raise ContentMalformed("a varint is longer than it need be")
            return value, index + 1
        shift += 7
    raise ContentMalformed("a varint is cut off or too long")
