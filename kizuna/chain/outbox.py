"""The one sender of an account's transactions. It survives crashes, lost answers and forgetful nodes.

An intent is a name for something to be done once, such as "commit/7/3". Intent, nonce and every signed
version are on disk before a byte is sent. What a node answers to a send is not even looked at: the
outcome is read from the chain, by the hashes of the versions. Bytes that the node does not know are
sent again unchanged; a version that is stuck is replaced by one with a higher fee; one whose deadline
has passed is cancelled, so that later nonces move on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_account.signers.base import BaseAccount

from kizuna.chain import fees
from kizuna.chain.fees import Fee
from kizuna.chain.intents import Call, Intent, Intents, Version
from kizuna.chain.journal import Journal
from kizuna.chain.replay import why_reverted
from kizuna.chain.rpc import Block, Receipt, Rpc, RpcRefused
from kizuna.errors import ChainError, Reverted, RpcStale, Unfunded
from kizuna.types import Digest

__all__ = ["Call", "DeadlinePassed", "Outbox", "Pending", "Receipt", "Unconfirmed"]

log = logging.getLogger(__name__)

_GAS_MARGIN = 300_000
"""A round's transitions are performed by whoever calls first, which may be us although it was not when estimating."""
_GAS_CAP = 1 << 24  # EIP-7825: no transaction may ask for more.
_CANCEL_GAS = 21_000
_MAX_VERSIONS = 12
_DISPLACED_AFTER = 3


class DeadlinePassed(ChainError):
    """The transaction was not in a block in time; it has been withdrawn."""


class Unconfirmed(ChainError):
    """No outcome yet after long waiting. Send the same intent again to go on waiting."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What is awaited: shown by `status`."""

    intent: str
    nonce: int
    versions: tuple[Digest, ...]
    since_block: int
    deadline_block: int | None


@dataclass(slots=True)
class _Watch:
    """What this process saw of an open intent; rebuilt after a restart, so never on disk."""

    version_block: int
    looked_at: int = -1
    looked_s: float = float("-inf")
    misses: int = 0
    warned: bool = False


class Outbox:
    """Sends for one account on one chain. Raises OutboxBusy if another process does, ConfigError if the
    journal belongs to another chain or key.

    `max_fee_wei` is the ceiling per gas: above it nothing is sent, with a warning. `clock` is monotonic
    seconds. Methods may be called from several threads.
    """

    def __init__(
        self,
        journal: Journal,
        rpc: Rpc,
        account: BaseAccount,
        *,
        max_fee_wei: int | None = None,
        stuck_blocks: int = 3,
        patience_blocks: int = 200,
        patience_s: float = 180.0,
        poll_s: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._journal, self._rpc, self._account = journal, rpc, account
        self._intents = Intents(journal)
        self._max_fee = max_fee_wei
        self._stuck_blocks, self._patience_blocks = stuck_blocks, patience_blocks
        self._patience_s, self._poll_s = patience_s, poll_s
        self._clock, self._sleep = clock, sleep
        self._lock = threading.RLock()
        self._watches: dict[int, _Watch] = {}
        journal.hold()
        self._chain = rpc.chain_id()
        try:
            journal.bind("account", str(account.address), "account")
            journal.bind("chain", f"{self._chain}/{rpc.genesis().hex()}", "chain")
        except BaseException:
            journal.close()
            raise

    @property
    def address(self) -> str:
        return str(self._account.address)

    def send(
        self, intent: str, call: Call, *, value: int = 0, gas: int | None = None, deadline_block: int | None = None
    ) -> Receipt:
        """Does `call` once and returns its receipt; the same intent returns the recorded one, also after a restart.

        An intent that reverted, expired or was never signed is tried again only if the call can succeed now.
        Raises the named error where the contract refuses (before or after inclusion), Unfunded,
        DeadlinePassed when no block up to `deadline_block` holds it, Unconfirmed, RpcStale, RpcUnavailable.
        """
        self.submit(intent, call, value=value, gas=gas, deadline_block=deadline_block)
        return self.wait(intent)

    def submit(
        self, intent: str, call: Call, *, value: int = 0, gas: int | None = None, deadline_block: int | None = None
    ) -> None:
        """As `send`, without waiting for a block."""
        known = self._intents.find(intent)
        if known is not None and self._stands(known):
            return
        if known is not None and known.state == "reverted":
            self._rpc.call(call.to or "", call.data, at=self._rpc.head(), sender=self.address, value=value)
        self._rpc.check_chain(max_age_s=0.0)
        limit = gas if gas is not None else self._gas(call, value)
        head, fee = self._affordable(intent, deadline_block)
        self._check_funds(head, limit * fee.max_fee + value, intent)
        with self._lock:
            again = self._intents.find(intent)
            if again is not None and again.state in ("open", "done"):
                return  # Another thread was faster.
            nonce = max([self._rpc.nonce(self.address, at=head), *(i.nonce + 1 for i in self._intents.open())])
            version = self._sign(call, nonce=nonce, value=value, gas=limit, fee=fee)
            record = self._intents.add(
                intent,
                call,
                nonce=nonce,
                value=value,
                gas=limit,
                deadline=deadline_block,
                block=head.number,
                version=version,
            )
            self._watches[record.id] = _Watch(head.number)
        self._rpc.broadcast(version.raw)

    def wait(self, intent: str) -> Receipt:
        """The outcome of a submitted intent. Raises KeyError for one that was never submitted, else as `send`."""
        pause, stood_since, seen = 0.02, self._clock(), -1
        while True:
            head = self._rpc.head()
            if head.number != seen:
                seen, stood_since = head.number, self._clock()
            record = self._advance(intent, head)
            if record.state != "open":
                return self._outcome(record)
            if self._clock() - stood_since > self._patience_s:
                raise RpcStale(
                    f"{self._rpc.url} has stood at block {seen} for {self._patience_s:.0f} s; {intent} waits"
                )
            start = max(record.first_block, record.deadline or 0)
            if head.number - start > self._patience_blocks:
                raise Unconfirmed(f"{intent} is in no block after {self._patience_blocks} blocks; it stays queued")
            self._sleep(pause)
            pause = min(pause * 1.5, self._poll_s)

    def recover(self) -> list[Pending]:
        """At start: reads outcomes that were missed, sends again what the node forgot. Does not wait."""
        head = self._rpc.head()
        for record in self._intents.open():
            self._step(record, head)
        return self.pending()

    def pending(self) -> list[Pending]:
        """What is awaited, lowest nonce first."""
        return [
            Pending(i.name, i.nonce, tuple(v.hash for v in self._intents.versions(i)), i.first_block, i.deadline)
            for i in self._intents.open()
        ]

    def knows(self, intent: str) -> bool:
        """Whether an intent of this name is on record, whatever became of it."""
        return self._intents.find(intent) is not None

    def close(self) -> None:
        """Lets another process send."""
        self._journal.close()

    # --- one look at an intent ---

    def _advance(self, intent: str, head: Block) -> Intent:
        with self._lock:
            record = self._intents.find(intent)
            if record is None:
                raise KeyError(intent)
            # Earlier nonces hold this one up, and perhaps nobody waits for them any more.
            for earlier in self._intents.open():
                if earlier.nonce <= record.nonce:
                    self._step(earlier, head)
            found = self._intents.find(intent)
            if found is None:
                raise Unconfirmed(f"another wallet used nonce {record.nonce} of {self.address}; send {intent} again")
            return found

    def _step(self, record: Intent, head: Block) -> None:
        versions = self._intents.versions(record)
        for version in versions:
            receipt = self._rpc.receipt(version.hash)
            if receipt is not None and self._canonical(receipt):
                self._settle(record, version, receipt)
                return
        watch = self._watches.setdefault(record.id, _Watch(head.number))
        now = self._clock()
        if watch.looked_at == head.number and now - watch.looked_s < 1.0:
            return
        new_head, watch.looked_at, watch.looked_s = watch.looked_at != head.number, head.number, now
        mined = self._rpc.nonce(self.address, at=head)
        if mined > record.nonce:
            self._missed(record, watch, new_head)
        else:
            self._push(record, versions, watch, head, first=mined == record.nonce)

    def _push(self, record: Intent, versions: list[Version], watch: _Watch, head: Block, *, first: bool) -> None:
        """Keeps an unmined intent moving: cancels it when late, repeats it when forgotten, replaces it when stuck."""
        newest = versions[-1]
        late = record.deadline is not None and head.number >= record.deadline
        if late and not newest.cancels:
            self._replace(record, newest, watch, head, cancels=True)
        elif not self._rpc.knows_transaction(newest.hash):
            self._rpc.broadcast(newest.raw)
        elif first and self._stuck(record, newest, watch, head) and len(versions) < _MAX_VERSIONS:
            self._replace(record, newest, watch, head, cancels=newest.cancels)

    def _stuck(self, record: Intent, newest: Version, watch: _Watch, head: Block) -> bool:
        waited = head.number - watch.version_block
        near = record.deadline is not None and record.deadline - head.number <= self._stuck_blocks
        outbid = head.base_fee is not None and newest.fee.max_fee < head.base_fee
        return waited >= self._stuck_blocks or (waited >= 1 and (near or outbid))

    def _replace(self, record: Intent, old: Version, watch: _Watch, head: Block, *, cancels: bool) -> None:
        fee = fees.replacement(self._rpc, head, old.fee)
        if self._max_fee is not None and fee.max_fee > self._max_fee:
            self._warn_ceiling(record.name, fee, record.deadline, watch)
            self._rpc.broadcast(old.raw)
            return
        call, value, gas = record.call, record.value, record.gas
        if cancels:
            call, value, gas = Call(self.address, b""), 0, _CANCEL_GAS
        version = self._sign(call, nonce=record.nonce, value=value, gas=gas, fee=fee, cancels=cancels)
        self._intents.add_version(record, version)
        watch.version_block = head.number
        log.info("%s: %s with %d wei per gas", record.name, "cancelled" if cancels else "sent again", fee.max_fee)
        self._rpc.broadcast(version.raw)

    def _missed(self, record: Intent, watch: _Watch, new_head: bool) -> None:
        """The nonce is used, but no version of ours has a receipt: a slow node, or another wallet with this key."""
        watch.misses += new_head
        if watch.misses >= _DISPLACED_AFTER:
            log.warning("%s: another wallet used nonce %d of %s", record.name, record.nonce, self.address)
            self._intents.drop(record)

    def _settle(self, record: Intent, version: Version, receipt: Receipt) -> None:
        state = "expired" if version.cancels else "done" if receipt.status == 1 else "reverted"
        self._intents.settle(record, state, receipt)
        self._watches.pop(record.id, None)

    def _outcome(self, record: Intent) -> Receipt:
        if record.receipt is None:
            raise Unconfirmed(f"{record.name} has no recorded outcome")
        if record.state == "expired":
            raise DeadlinePassed(f"{record.name} was in no block up to {record.deadline}: it has been withdrawn")
        if record.state == "reverted":
            raise why_reverted(self._rpc, record.call, record.receipt, self.address, gas=record.gas, value=record.value)
        return record.receipt

    def _stands(self, record: Intent) -> bool:
        """Whether an intent needs no new transaction: it is under way, or done in a block that still counts."""
        if record.state == "open":
            return True
        if record.state != "done" or record.receipt is None:
            return False
        if self._canonical(record.receipt):
            return True
        self._intents.settle(record, "open", None)  # Reorganised away: the same bytes have to get in again.
        return True

    def _canonical(self, receipt: Receipt) -> bool:
        return self._rpc.block(receipt.block).hash == receipt.block_hash

    # --- building ---

    def _gas(self, call: Call, value: int) -> int:
        message = {"from": self.address, "data": "0x" + call.data.hex(), "value": hex(value)}
        if call.to is not None:
            message["to"] = call.to
        try:
            estimate = self._rpc.estimate_gas(message)
        except (Reverted, RpcRefused):
            head = self._rpc.head()
            self._check_funds(head, value, "the call")
            # Estimation runs on whatever block the node likes and often loses the reason; this asks about one block.
            self._rpc.call(call.to or "", call.data, at=head, sender=self.address, value=value)
            estimate = self._rpc.estimate_gas(message)
        return min(estimate * 13 // 10 + _GAS_MARGIN, _GAS_CAP)

    def _affordable(self, intent: str, deadline: int | None) -> tuple[Block, Fee]:
        """Waits until the market is below the ceiling; takes no nonce meanwhile, so other intents go ahead."""
        watch = _Watch(0)
        while True:
            head = self._rpc.head()
            if deadline is not None and head.number >= deadline:
                raise DeadlinePassed(f"{intent} had to be in block {deadline}, the chain is at {head.number}: not sent")
            fee = fees.market(self._rpc, head)
            floor = head.base_fee if head.base_fee is not None else fee.max_fee
            if self._max_fee is None or floor <= self._max_fee:
                top = fee.max_fee if self._max_fee is None else min(fee.max_fee, self._max_fee)
                return head, Fee(top, None if fee.tip is None else min(fee.tip, top))
            self._warn_ceiling(intent, fee, deadline, watch)
            self._sleep(self._poll_s)

    def _check_funds(self, head: Block, needed: int, intent: str) -> None:
        has = self._rpc.balance(self.address, at=head)
        if has < needed:
            lack = needed - has
            raise Unfunded(f"{self.address} holds {has} wei and {intent} may cost {needed} wei: send it {lack} wei")

    def _sign(self, call: Call, *, nonce: int, value: int, gas: int, fee: Fee, cancels: bool = False) -> Version:
        fields: dict[str, Any] = {
            "chainId": self._chain, "nonce": nonce, "value": value, "gas": gas, "data": call.data, **fee.fields(),
        }  # fmt: skip
        if call.to is not None:
            fields["to"] = bytes.fromhex(call.to[2:])
        signed = self._account.sign_transaction(fields)
        return Version(Digest(bytes(signed.hash)), bytes(signed.raw_transaction), fee, cancels)

    def _warn_ceiling(self, intent: str, fee: Fee, deadline: int | None, watch: _Watch) -> None:
        if not watch.warned:
            until = "no deadline" if deadline is None else f"deadline block {deadline}"
            told = (intent, fee.max_fee, self._max_fee, until)
            log.warning("%s waits: %d wei per gas is above the ceiling of %s (%s)", *told)
            watch.warned = True
