"""Strict DAG-CBOR: one encoding per value, and nothing else is read.

Source: https://ipld.io/specs/codecs/dag-cbor/spec/. Definite lengths, shortest integers, map keys that are text and
sorted by length then bytes, finite 64-bit floats, tag 42 only. libipld is not used: it turns plain bytes that happen
to parse as a CID into links, and a digest that must stay bytes would become something that a pin drags in.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, Union

from kizuna.errors import ContentMalformed, LimitExceeded
from kizuna.store.blocks import MAX_BLOCK_BYTES
from kizuna.store.cid import Cid

Ipld: TypeAlias = Union[bool, int, float, str, bytes, Cid, Sequence["Ipld"], Mapping[str, "Ipld"], None]  # noqa: UP007

MAX_DEPTH = 32
_UINT, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG, _SIMPLE = range(8)
_LINK_TAG = 42
_SIMPLE_VALUES = {0xF4: False, 0xF5: True, 0xF6: None}
_FLOAT64 = 0xFB


def encode(value: Ipld, *, max_bytes: int = MAX_BLOCK_BYTES, max_depth: int = MAX_DEPTH) -> bytes:
    """The canonical encoding; raises ContentMalformed for what has none, LimitExceeded above the limits."""
    out = bytearray()
    _encode(value, out, max_depth)
    if len(out) > max_bytes:
        raise LimitExceeded(f"dag-cbor: {len(out)} bytes, the limit is {max_bytes}")
    return bytes(out)


def decode(data: bytes, *, max_bytes: int = MAX_BLOCK_BYTES, max_depth: int = MAX_DEPTH) -> Ipld:
    """The value of canonical bytes; raises ContentMalformed, or LimitExceeded above the limits."""
    if len(data) > max_bytes:
        raise LimitExceeded(f"dag-cbor: {len(data)} bytes, the limit is {max_bytes}")
    reader = _Reader(data)
    value = reader.value(max_depth)
    if reader.at != len(data):
        raise ContentMalformed("dag-cbor: bytes behind the value")
    if encode(value, max_bytes=max_bytes, max_depth=max_depth) != data:
        raise ContentMalformed("dag-cbor: not in canonical form")
    return value


def links(value: Ipld) -> Iterator[Cid]:
    """Every link inside a value, in the order in which they are written."""
    if isinstance(value, Cid):
        yield value
    elif isinstance(value, Mapping):
        for key in sorted(value, key=_key_order):
            yield from links(value[key])
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            yield from links(item)


def _key_order(key: str) -> tuple[int, bytes]:
    data = _utf8(key)
    return len(data), data


def _utf8(text: object) -> bytes:
    if not isinstance(text, str):
        raise ContentMalformed("dag-cbor: a map key is not text")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ContentMalformed("dag-cbor: text with lone surrogates") from None


def _head(out: bytearray, major: int, argument: int) -> None:
    if argument < 24:
        out.append(major << 5 | argument)
        return
    for code, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * width:
            out.append(major << 5 | code)
            out += argument.to_bytes(width, "big")
            return
    raise ContentMalformed("dag-cbor: an integer outside 64 bits")


def _encode(value: object, out: bytearray, depth: int) -> None:
    match value:
        case None | bool():
            out.append(0xF6 if value is None else 0xF4 + value)
        case int():
            _head(out, *((_UINT, value) if value >= 0 else (_NEGATIVE, -1 - value)))
        case float():
            if not math.isfinite(value):
                raise ContentMalformed("dag-cbor: a float that is not finite")
            out += struct.pack(">Bd", _FLOAT64, value + 0.0)  # minus zero equals zero, and there is one encoding
        case bytes():
            _head(out, _BYTES, len(value))
            out += value
        case str():
            text = _utf8(value)
            _head(out, _TEXT, len(text))
            out += text
        case Cid():
            out += b"\xd8\x2a\x58\x25\x00" + value.binary  # tag 42, 37 bytes, identity multibase prefix
        case _:
            _encode_container(value, out, depth)


def _encode_container(value: object, out: bytearray, depth: int) -> None:
    if depth == 0:
        raise LimitExceeded("dag-cbor: nested too deep")
    if isinstance(value, Mapping):
        _head(out, _MAP, len(value))
        for key in sorted(value, key=_key_order):
            _encode(key, out, depth - 1)
            _encode(value[key], out, depth - 1)
    elif isinstance(value, Sequence) and not isinstance(value, bytearray | memoryview):
        _head(out, _LIST, len(value))
        for item in value:
            _encode(item, out, depth - 1)
    else:
        raise ContentMalformed(f"dag-cbor: a {type(value).__name__} has no encoding")


class _Reader:
    """A cursor over bytes of unknown origin."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise ContentMalformed("dag-cbor: cut off")
        self.at += count
        return self.data[self.at - count : self.at]

    def head(self) -> tuple[int, int]:
        """Major type and argument."""
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info
        if info > 27:
            raise ContentMalformed("dag-cbor: an indefinite length or a reserved form")
        return major, int.from_bytes(self.take(1 << info - 24), "big")

    def value(self, depth: int) -> Ipld:
        if self.at < len(self.data) and self.data[self.at] >> 5 == _SIMPLE:
            return self.simple()
        major, argument = self.head()
        match major:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:
                return self.take(argument)
            case 3:
                return self.text(argument)
            case 6:
                return self.link(argument)
        return self.container(major, argument, depth)

    def container(self, major: int, count: int, depth: int) -> Ipld:
        if depth == 0:
            raise LimitExceeded("dag-cbor: nested too deep")
        if count > len(self.data) - self.at:  # every item takes a byte at least
            raise ContentMalformed("dag-cbor: cut off")
        if major == _LIST:
            return [self.value(depth - 1) for _ in range(count)]
        items: dict[str, Ipld] = {}
        for _ in range(count):
            major, argument = self.head()
            if major != _TEXT:
                raise ContentMalformed("dag-cbor: a map key is not text")
            key = self.text(argument)
            if key in items:
                raise ContentMalformed("dag-cbor: a map key is repeated")
            items[key] = self.value(depth - 1)
        return items

    def simple(self) -> Ipld:
        first = self.take(1)[0]
        if first == _FLOAT64:
            number: float = struct.unpack(">d", self.take(8))[0]
            return number
        if first not in _SIMPLE_VALUES:
            raise ContentMalformed("dag-cbor: a simple value or short float that has no place here")
        return _SIMPLE_VALUES[first]

    def text(self, length: int) -> str:
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            raise ContentMalformed("dag-cbor: text that is not UTF-8") from None

    def link(self, tag: int) -> Cid:
        if tag != _LINK_TAG:
            raise ContentMalformed(f"dag-cbor: tag {tag} is not a link")
        major, length = self.head()
        data = self.take(length) if major == _BYTES else b""
        if data[:1] != b"\x00":
            raise ContentMalformed("dag-cbor: a link without its prefix")
        return Cid.parse(data[1:])
