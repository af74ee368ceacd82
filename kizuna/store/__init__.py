"""Content: ids, UnixFS, canonical manifests, block stores, and how blocks move between machines.

The gateway (`kizuna.store.gateway`) and the mirror (`kizuna.store.mirror`) are imported by name, as only nodes that
serve need an HTTP server.
"""

from __future__ import annotations

from kizuna.store.blocks import MAX_BLOCK_BYTES, Blocks, BlocksMissing, BlockSource, Limits, MemoryBlocks
from kizuna.store.cid import DAG_CBOR, DAG_PB, RAW, Cid
from kizuna.store.client import Fetched, Fetcher
from kizuna.store.flatfs import FlatFs
from kizuna.store.pins import Damage, Pin, Pins
from kizuna.store.sources import Fault, FaultKind, Patience

__all__ = [
    "DAG_CBOR",
    "DAG_PB",
    "MAX_BLOCK_BYTES",
    "RAW",
    "BlockSource",
    "Blocks",
    "BlocksMissing",
    "Cid",
    "Damage",
    "Fault",
    "FaultKind",
    "Fetched",
    "Fetcher",
    "FlatFs",
    "Limits",
    "MemoryBlocks",
    "Patience",
    "Pin",
    "Pins",
]
