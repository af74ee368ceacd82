"""Import of files and directories under IPFS profile `unixfs-v1-2025`.

CIDv1, sha2-256, raw leaves, chunks of 1 MiB, at most 1,024 links a node, balanced trees; a file of one chunk is that
raw block. Source: https://specs.ipfs.tech/ipips/ipip-0499/. Directories are flat; one whose node would pass 256 KiB,
where the profile starts to shard, is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias

from kizuna.errors import ContentMalformed, LimitExceeded
from kizuna.store import _dagpb
from kizuna.store._dagpb import DirectoryNode, FileNode, Link
from kizuna.store._names import check_names
from kizuna.store.blocks import Blocks, BlocksMissing, BlockSource
from kizuna.store.cid import DAG_CBOR, DAG_PB, RAW, Cid

CHUNK_BYTES = 1024 * 1024
LINKS_PER_NODE = 1024
MAX_DIRECTORY_BYTES = 256 * 1024

Sink: TypeAlias = Callable[[Cid, bytes], None]
Entry: TypeAlias = bytes | Cid | Link | Path
"""What a directory is made of: content, something already in the store, a ready link, or a path to import."""


def add_bytes(blocks: Blocks, data: bytes) -> Cid:
    """Store content as a file; raises StoreFull."""
    return _file(blocks.put, _slices(data)).cid


def add_file(blocks: Blocks, path: Path) -> Cid:
    """Store a regular file, a chunk at a time; raises ContentMalformed for anything else, StoreFull."""
    return _path_file(blocks.put, path).cid


def add_directory(blocks: Blocks, source: Path | Mapping[str, Entry]) -> Cid:
    """Store a directory, from disk or from its entries.

    Raises ContentMalformed for hidden files, symlinks, devices and doubtful names, LimitExceeded for a directory too
    large to be flat, BlocksMissing for an entry given by an id that is not in the store, StoreFull.
    """
    if isinstance(source, Path):
        return _path_directory(blocks, source).cid
    return _directory(blocks.put, {name: _entry(blocks, entry) for name, entry in source.items()}).cid


def link_of(source: BlockSource, cid: Cid) -> Link:
    """A link to content in the store, with the size that the profile writes into it."""
    block = source.get(cid)
    if block is None:
        raise BlocksMissing([cid])
    if cid.codec == DAG_CBOR:
        raise ContentMalformed(f"{cid} is not a file or directory")
    below = sum(link.tsize for link in _dagpb.parse(block).links) if cid.codec == DAG_PB else 0
    return Link(cid, len(block) + below)


def cid_of_bytes(data: bytes) -> Cid:
    """The id that `add_bytes` would return, storing nothing."""
    return _file(_discard, _slices(data)).cid


def cid_of_file(path: Path) -> Cid:
    """The id that `add_file` would return, storing nothing."""
    return _path_file(_discard, path).cid


def _discard(cid: Cid, block: bytes) -> None:
    """A sink for content that is only to be named."""


def _slices(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    return (bytes(view[at : at + CHUNK_BYTES]) for at in range(0, len(data), CHUNK_BYTES))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):  # a buffered reader returns less only at the end
        yield chunk


def _file(sink: Sink, chunks: Iterable[bytes]) -> Link:
    tree = _Balanced(sink)
    for chunk in chunks:
        tree.leaf(chunk)
    return tree.finish()


class _Balanced:
    """A balanced tree that is built from the left with at most 1,024 links pending a level."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rows: list[list[tuple[Link, int]]] = [[]]  # level -> (link, content bytes below it)

    def leaf(self, chunk: bytes) -> None:
        self._push(0, self._put(chunk, RAW, 0), len(chunk))

    def finish(self) -> Link:
        if not self._rows[0]:  # an empty file is an empty raw block
            self.leaf(b"")
        level = 0
        while level + 1 < len(self._rows) or len(self._rows[level]) > 1:
            self._collapse(level)
            level += 1
        return self._rows[level][0][0]

    def _push(self, level: int, link: Link, size: int) -> None:
        if level == len(self._rows):
            self._rows.append([])
        if len(self._rows[level]) == LINKS_PER_NODE:  # only now it is known that the full row is not the root
            self._collapse(level)
        self._rows[level].append((link, size))

    def _collapse(self, level: int) -> None:
        row, self._rows[level] = self._rows[level], []
        node = FileNode(tuple(link for link, _ in row), tuple(size for _, size in row))
        below = sum(link.tsize for link in node.links)
        self._push(level + 1, self._put(_dagpb.encode(node), DAG_PB, below), node.size)

    def _put(self, block: bytes, codec: int, below: int) -> Link:
        cid = Cid.of(block, codec)
        self._sink(cid, block)
        return Link(cid, len(block) + below)


def _path_file(sink: Sink, path: Path) -> Link:
    # O_NONBLOCK so that a named pipe is refused and does not hang.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ContentMalformed(f"{path}: cannot be read as a file ({error.strerror})") from None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ContentMalformed(f"{path}: not a regular file")
        return _file(sink, _chunks(file))


def _path_directory(blocks: Blocks, path: Path) -> Link:
    if path.is_symlink() or not path.is_dir():
        raise ContentMalformed(f"{path}: not a directory")
    entries = sorted(path.iterdir())
    for entry in entries:
        if entry.name.startswith("."):
            raise ContentMalformed(f"{path}: hidden file {entry.name!a}; remove it or list the files to publish")
        if entry.is_symlink():
            raise ContentMalformed(f"{path}: {entry.name!a} is a symbolic link; replace it by a copy")
    # Names first: a bad one must not cost the import of everything before it.
    check_names(entry.name for entry in entries)
    return _directory(blocks.put, {entry.name: _entry(blocks, entry) for entry in entries})


def _entry(blocks: Blocks, entry: Entry) -> Link:
    if isinstance(entry, bytes):
        return _file(blocks.put, _slices(entry))
    if isinstance(entry, Cid):
        return link_of(blocks, entry)
    if isinstance(entry, Path):
        return _path_directory(blocks, entry) if entry.is_dir() else _path_file(blocks.put, entry)
    return entry


def _directory(sink: Sink, entries: Mapping[str, Link]) -> Link:
    check_names(entries)
    named = sorted(entries.items(), key=lambda item: item[0].encode())
    block = _dagpb.encode(DirectoryNode(tuple(Link(link.cid, link.tsize, name) for name, link in named)))
    if len(block) > MAX_DIRECTORY_BYTES:
        raise LimitExceeded(f"a directory of {len(named)} entries is too large; group them in sub-directories")
    cid = Cid.of(block, DAG_PB)
    sink(cid, block)
    return Link(cid, len(block) + sum(link.tsize for link in entries.values()))
