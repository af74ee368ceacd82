"""The places content is fetched from: their addresses, how patient to be with them, what they did wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from kizuna.errors import StoreError
from kizuna.store.cid import Cid


class FaultKind(StrEnum):
    """What a source did instead of serving a block."""

    DEAD = "cannot be reached"
    BROKEN = "broke off"
    SILENT = "sends nothing"
    SLOW = "is too slow"
    LYING = "served other bytes"
    REFUSED = "refused"
    ABSENT = "does not have it"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing a source did wrong. LYING bars it for good; the others cost it its turn."""

    source: str
    kind: FaultKind
    cid: Cid
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.source} {self.kind}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    `hedge_s` is when a block is asked of a second source while the first may still deliver it; an honest source that
    is only slow is never given up for that. `stall_s` is without a single byte, `block_s` for a whole block, and
    `total_s` bounds a whole call.
    """

    connect_s: float = 5.0
    hedge_s: float = 2.0
    stall_s: float = 15.0
    block_s: float = 120.0
    total_s: float = 600.0
    connections: int = 4  # at a time, per source


def check_source(url: str) -> str:
    """The address without a trailing slash; raises StoreError unless it is a plain http or https one."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.username or parts.password or parts.query or parts.fragment or not url.isprintable():
        raise StoreError(f"source {url[:200]!a} is not a plain http or https address")
    return url.rstrip("/")
