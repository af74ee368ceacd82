"""Strict dag-pb nodes that hold UnixFS files and directories.

Sources: https://ipld.io/specs/codecs/dag-pb/spec/ and https://specs.ipfs.tech/unixfs/. Only what profile
`unixfs-v1-2025` produces is read: flat directories and files of linked chunks. Nodes with inline data, symlinks,
sharded directories, modes and times are refused. The encoder is the definition: a node that does not encode back to its
own bytes is not canonical.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from kizuna.errors import ContentMalformed
from kizuna.store import _varint
from kizuna.store.blocks import MAX_BLOCK_BYTES
from kizuna.store.cid import Cid

_DIRECTORY, _FILE = 1, 2  # UnixFS types that exist here
_NAMES = {0: "raw", 3: "metadata", 4: "symlink", 5: "sharded directory"}
_VARINT, _BYTES = 0, 2  # protobuf wire types


@dataclass(frozen=True, slots=True)
class Link:
    """A child: its id, `tsize` (bytes of its blocks, counted with repeats), and its name in a directory."""

    cid: Cid
    tsize: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class FileNode:
    """Chunks or subtrees of a file in order, and the content bytes below each."""

    links: tuple[Link, ...]
    sizes: tuple[int, ...]

    @property
    def size(self) -> int:
        return sum(self.sizes)


@dataclass(frozen=True, slots=True)
class DirectoryNode:
    """Entries of a directory in ascending order of their names' bytes."""

    links: tuple[Link, ...]


Node = FileNode | DirectoryNode


def encode(node: Node) -> bytes:
    """The one encoding of a node. Links come before data on the wire, as every IPFS implementation has it."""
    out = b"".join(_field(2, _encode_link(link)) for link in node.links)
    return out + _field(1, _encode_data(node))


def parse(block: bytes) -> Node:
    """Read a node; raises ContentMalformed unless it is canonical."""
    if len(block) > MAX_BLOCK_BYTES:
        raise ContentMalformed(f"a dag-pb node of {len(block)} bytes is above the limit of {MAX_BLOCK_BYTES}")
    links: list[Link] = []
    data: bytes | None = None
    for field, value in _fields(block):
        if field == 2 and isinstance(value, bytes) and data is None:
            links.append(_parse_link(value))
        elif field == 1 and isinstance(value, bytes) and data is None:
            data = value
        else:
            raise ContentMalformed("dag-pb: a field is unknown, repeated or out of order")
    if data is None:
        raise ContentMalformed("dag-pb: no UnixFS data")
    node = _parse_data(data, tuple(links))
    if encode(node) != block:
        raise ContentMalformed("dag-pb: not in canonical form")
    return node


def _encode_link(link: Link) -> bytes:
    # A link of a file has an empty name, and it is written.
    return _field(1, link.cid.binary) + _field(2, link.name.encode()) + _number(3, link.tsize)


def _parse_link(data: bytes) -> Link:
    fields = list(_fields(data))
    if [field for field, _ in fields] != [1, 2, 3]:
        raise ContentMalformed("dag-pb: a link without id, name or size")
    cid, name, tsize = (value for _, value in fields)
    if not isinstance(cid, bytes) or not isinstance(name, bytes) or not isinstance(tsize, int):
        raise ContentMalformed("dag-pb: a link's field has the wrong type")
    try:
        return Link(Cid.parse(cid), tsize, name.decode())
    except UnicodeDecodeError:
        raise ContentMalformed("dag-pb: a name is not UTF-8") from None


def _encode_data(node: Node) -> bytes:
    if isinstance(node, DirectoryNode):
        return _number(1, _DIRECTORY)
    return _number(1, _FILE) + _number(3, node.size) + b"".join(_number(4, size) for size in node.sizes)


def _parse_data(data: bytes, links: tuple[Link, ...]) -> Node:
    fields = list(_fields(data))
    kind = fields[0][1] if fields and fields[0][0] == 1 else None
    if kind == _DIRECTORY:
        names = [link.name.encode() for link in links]
        if any(a >= b for a, b in pairwise(names)):
            raise ContentMalformed("unixfs: names of a directory are repeated or out of order")
        return DirectoryNode(links)
    if kind != _FILE:
        shown = _NAMES.get(kind) if isinstance(kind, int) else None
        raise ContentMalformed(f"unixfs: {shown or 'a node of unknown type'} refused")
    if any(field not in (1, 3, 4) for field, _ in fields):
        raise ContentMalformed("unixfs: a file node with inline data, mode or time")
    sizes = tuple(value for field, value in fields if field == 4 and isinstance(value, int))
    if not links or len(sizes) != len(links) or any(link.name for link in links):
        raise ContentMalformed("unixfs: a file node whose chunks and sizes do not match")
    return FileNode(links, sizes)  # a wrong total shows when the node is encoded again


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _varint.encode(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return bytes([number << 3 | _VARINT]) + _varint.encode(value)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _varint.decode(data, at)
        value, at = _varint.decode(data, at)
        if key & 7 == _VARINT:
            yield key >> 3, value
        elif key & 7 == _BYTES:
            if value > len(data) - at:
                raise ContentMalformed("protobuf: a field is cut off")
            yield key >> 3, data[at : at + value]
            at += value
        else:
            raise ContentMalformed("protobuf: a field of a type that does not occur here")
