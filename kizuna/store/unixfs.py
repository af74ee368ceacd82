"""Files and directories in IPFS form: import, hashing, reading, export.

The profile is `unixfs-v1-2025` and nothing else is read (docs/protocol.md, "Content ids"), so that the same bytes
have the same id whoever publishes them. Where only a 32-byte digest is known, as on chain, the caller says the codec:
`Cid(digest, DAG_PB)` for a directory or a file of more than one chunk, `Cid(digest, RAW)` for a smaller file.
"""

from __future__ import annotations

from kizuna.store._dagpb import DirectoryNode, FileNode, Link
from kizuna.store._export import export
from kizuna.store._importer import (
    CHUNK_BYTES,
    LINKS_PER_NODE,
    MAX_DIRECTORY_BYTES,
    Entry,
    add_bytes,
    add_directory,
    add_file,
    cid_of_bytes,
    cid_of_file,
    link_of,
)
from kizuna.store._names import check_name, check_names
from kizuna.store._reader import cat, file_size, ls, read, resolve

__all__ = [
    "CHUNK_BYTES",
    "LINKS_PER_NODE",
    "MAX_DIRECTORY_BYTES",
    "DirectoryNode",
    "Entry",
    "FileNode",
    "Link",
    "add_bytes",
    "add_directory",
    "add_file",
    "cat",
    "check_name",
    "check_names",
    "cid_of_bytes",
    "cid_of_file",
    "export",
    "file_size",
    "link_of",
    "ls",
    "read",
    "resolve",
]
