"""What travels between an operator and a mirror: signed requests and their outcome."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

from eth_account import Account
from eth_account.datastructures import SignedMessage
from eth_account.messages import SignableMessage, encode_defunct

from kizuna.errors import ContentMalformed
from kizuna.store import dagcbor
from kizuna.store.cid import Cid
from kizuna.store.sources import check_source
from kizuna.types import Address

MAX_BODY_BYTES = 256 * 1024
MAX_LABEL = 128
_DOMAIN = b"kizuna.pull.v1"
_FIELDS = {"cids", "source", "label", "counter", "signature"}


class Signer(Protocol):
    """An account of eth-account, or anything that signs EIP-191 messages like one."""

    def sign_message(self, signable_message: SignableMessage) -> SignedMessage:
        """Sign a message that `encode_defunct` made."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A root to be held, with everything below it if it is recursive."""

    cid: Cid
    recursive: bool = True


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What an operator asks of a mirror. `counter` must rise with each of its requests, so that none is replayed."""

    cids: tuple[Wanted, ...]
    source: str
    label: str
    counter: int

    def digest(self) -> bytes:
        """The 32 bytes that are signed: sha2-256 of a tag and the request in canonical DAG-CBOR."""
        cids: list[dagcbor.Ipld] = [{"cid": str(want.cid), "recursive": want.recursive} for want in self.cids]
        body: dagcbor.Ipld = {"cids": cids, "source": self.source, "label": self.label, "counter": self.counter}
        return hashlib.sha256(_DOMAIN + dagcbor.encode(body)).digest()

    @property
    def id(self) -> str:
        return self.digest().hex()[:32]

    def signed_by(self, signer: Signer) -> bytes:
        """The JSON body to post."""
        signature = signer.sign_message(encode_defunct(primitive=self.digest())).signature
        cids = [{"cid": str(want.cid), "recursive": want.recursive} for want in self.cids]
        body = {"cids": cids, "source": self.source, "label": self.label, "counter": self.counter}
        return json.dumps({**body, "signature": "0x" + bytes(signature).hex()}).encode()


@dataclass(frozen=True, slots=True)
class PullState:
    """Where a pull stands: "pulling", "held" or "failed"; what is pinned, and why the rest is not."""

    id: str
    state: str
    held: tuple[Cid, ...] = ()
    failed: tuple[tuple[Cid, str], ...] = ()

    @property
    def done(self) -> bool:
        return self.state != "pulling"

    def to_json(self) -> dict[str, Any]:
        failed = [{"cid": str(cid), "reason": reason} for cid, reason in self.failed]
        return {"id": self.id, "state": self.state, "held": list(map(str, self.held)), "failed": failed}

    @classmethod
    def parse(cls, data: bytes) -> PullState:
        """Read a mirror's answer; raises ContentMalformed."""
        try:
            body = json.loads(data)
            state = str(body["state"])
            if state not in ("pulling", "held", "failed"):
                raise ContentMalformed("pull: unknown state")
            failed = tuple((Cid.parse(str(item["cid"])), str(item["reason"])[:500]) for item in body["failed"])
            return cls(str(body["id"])[:64], state, tuple(Cid.parse(str(cid)) for cid in body["held"]), failed)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ContentMalformed("pull: the mirror's answer is malformed") from None


def parse_request(data: bytes) -> tuple[PullRequest, Address]:
    """A posted request and the account that signed it; raises ContentMalformed, StoreError for its source."""
    if len(data) > MAX_BODY_BYTES:
        raise ContentMalformed(f"pull: larger than {MAX_BODY_BYTES} bytes")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise ContentMalformed("pull: not JSON") from None
    if not isinstance(body, dict) or set(body) != _FIELDS or not isinstance(body["cids"], list) or not body["cids"]:
        raise ContentMalformed(f"pull: not an object of {', '.join(sorted(_FIELDS))}")
    request = PullRequest(
        tuple(map(_wanted, body["cids"])),
        _source(body["source"]),
        _label(body["label"]),
        _counter(body["counter"]),
    )
    return request, _signer(request, body["signature"])


def _wanted(item: object) -> Wanted:
    if not isinstance(item, dict) or set(item) != {"cid", "recursive"}:
        raise ContentMalformed("pull: an item of cids is not {cid, recursive}")
    if not isinstance(item["cid"], str) or not isinstance(item["recursive"], bool):
        raise ContentMalformed("pull: an item of cids has the wrong types")
    return Wanted(Cid.parse(item["cid"]), item["recursive"])


def _source(value: object) -> str:
    if not isinstance(value, str) or check_source(value) != value:
        raise ContentMalformed("pull: source is not an address without trailing slash")
    return value


def _label(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LABEL or not value.isascii() or not value.isprintable():
        raise ContentMalformed(f"pull: label is not 1 to {MAX_LABEL} printable ASCII characters")
    return value


def _counter(value: object) -> int:
    if type(value) is not int or not 0 < value < 2**63:
        raise ContentMalformed("pull: counter is not a positive integer")
    return value


def _signer(request: PullRequest, signature: object) -> Address:
    try:
        raw = bytes.fromhex(str(signature).removeprefix("0x"))
        return Address(str(Account.recover_message(encode_defunct(primitive=request.digest()), signature=raw)))
    except Exception:  # the libraries below raise many kinds for a malformed signature
        raise ContentMalformed("pull: the signature is malformed") from None
