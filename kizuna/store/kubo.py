"""A Kubo node of the operator's: adds the very same blocks to it and pins them, over its RPC.

Needs the extra `ipfs` (ipfshttpclient). That library refuses newer nodes by their version alone, so what the node says
of itself is never asked: each call is checked by what it answers. The node is asked for what it holds, and never to
look for it in the network.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from kizuna.errors import BlockCorrupt, ConfigError, ContentMissing, StoreError
from kizuna.store import dag
from kizuna.store.blocks import MAX_BLOCK_BYTES, BlocksMissing, BlockSource, Limits, check_block
from kizuna.store.cid import DAG_CBOR, DAG_PB, RAW, Cid

T = TypeVar("T")
CODECS = {RAW: "raw", DAG_PB: "dag-pb", DAG_CBOR: "dag-cbor"}
_NOT_KUBO = (LookupError, TypeError, ValueError, AssertionError)  # how the library stumbles over other answers
_ABSENT, _UNPINNED = "could not find", "not pinned"


class Kubo:
    """Blocks and pins of a Kubo node; `get`, `has` and `put` as in `Blocks`. Threads may share one.

    `address` is a multiaddress such as /ip4/127.0.0.1/tcp/5001. All methods raise StoreError if the node cannot be
    reached or refuses. Raises ConfigError without the extra, or if the address is none.
    """

    def __init__(self, address: str, *, timeout_s: float = 120.0) -> None:
        try:
            import ipfshttpclient
        except ImportError:
            raise ConfigError("Kubo needs the extra `ipfs`: pip install 'kizuna[ipfs]'") from None
        # The library passes an argument to urllib3 that version 3 will no longer take.
        warnings.filterwarnings("ignore", "The 'strict' parameter", FutureWarning)
        self._errors, self.address = ipfshttpclient.exceptions, address
        try:
            self._client = ipfshttpclient.Client(address, timeout=timeout_s)  # connect() compares versions
        except (self._errors.AddressError, ValueError):
            raise ConfigError(f"{address[:200]!a} is no multiaddress such as /ip4/127.0.0.1/tcp/5001") from None

    def get(self, cid: Cid) -> bytes | None:
        size = self._size(cid)
        if size is None or size > MAX_BLOCK_BYTES:  # none that we could have put
            return None
        block: bytes = self._ask(lambda: self._client.block.get(str(cid), offline=True))
        return block if Cid.of(block).digest == cid.digest else None

    def has(self, cid: Cid) -> bool:
        """Whether the node says that it holds the block; `get` reads and checks it."""
        return self._size(cid) is not None

    def put(self, cid: Cid, block: bytes) -> None:
        """Add a block; raises LimitExceeded, BlockCorrupt, also if the node files it under another id."""
        check_block(cid, block)
        options = {"cid-codec": CODECS[cid.codec], "mhtype": "sha2-256"}
        key = self._ask(lambda: str(self._client.block.put(io.BytesIO(block), opts=options)["Key"]))
        if key != str(cid):
            raise BlockCorrupt(f"Kubo at {self.address} files {cid} as {key[:80]!a}")

    def pin(self, cid: Cid, *, recursive: bool = True) -> None:
        """Keep what the node holds; raises ContentMissing unless all of it is there."""
        try:
            self._ask(lambda: self._client.pin.add(str(cid), recursive=recursive, offline=True))
        except _Refused as refusal:
            if _ABSENT in refusal.text:
                raise ContentMissing(f"Kubo at {self.address} cannot pin {cid}: {refusal.text}") from None
            raise

    def pinned(self, cid: Cid, *, recursive: bool = True) -> bool:
        """Whether a root is pinned in its own right, and not only as a part of another."""
        try:
            self._ask(lambda: self._client.pin.ls(str(cid), type="recursive" if recursive else "direct"))
        except _Refused as refusal:
            if _UNPINNED in refusal.text:
                return False
            raise
        return True

    def unpin(self, cid: Cid, *, recursive: bool = True) -> None:
        """Let go of a root; one that is not pinned is no error. The blocks stay until the node collects them."""
        try:
            self._ask(lambda: self._client.pin.rm(str(cid), recursive=recursive))
        except _Refused as refusal:
            if _UNPINNED not in refusal.text:
                raise

    def keep(self, source: BlockSource, cid: Cid, *, recursive: bool = True, limits: Limits | None = None) -> None:
        """Add a root with, if recursive, everything below it, and pin it. Only what the node lacks is sent.

        Raises BlocksMissing if the source lacks a block, LimitExceeded, ContentMalformed.
        """
        if self.pinned(cid, recursive=recursive):
            return
        found = dag.walk(source, cid, limits) if recursive else [(cid, source.get(cid))]
        for part, block in found:
            if block is None:
                raise BlocksMissing([part], f"so {cid} is not added to Kubo")
            if not self.has(part):
                self.put(part, block)
        self.pin(cid, recursive=recursive)

    def _size(self, cid: Cid) -> int | None:
        try:
            return self._ask(lambda: int(self._client.block.stat(str(cid), offline=True)["Size"]))
        except _Refused as refusal:
            if _ABSENT in refusal.text:
                return None
            raise

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except self._errors.ErrorResponse as error:
            raise _Refused(self.address, str(error)) from None
        except self._errors.StatusError as error:
            raise StoreError(f"Kubo at {self.address} refuses the call ({error}){_advice(error)}") from None
        except (self._errors.Error, OSError, *_NOT_KUBO) as error:
            raise StoreError(f"Kubo at {self.address} does not answer as one ({type(error).__name__})") from None


class _Refused(StoreError):
    """The node answers with an error of its own."""

    def __init__(self, address: str, text: str) -> None:
        super().__init__(f"Kubo at {address} refuses: {text[:300]!a}")
        self.text = text


def _advice(error: Any) -> str:
    status = getattr(getattr(error.original, "response", None), "status_code", None)
    return ": allow this client in the node's API.Authorizations or API.HTTPHeaders" if status in (401, 403) else ""
