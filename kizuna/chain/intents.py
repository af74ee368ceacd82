"""What the outbox writes down: intents, and every signed version of their transactions."""

from __future__ import annotations

import json
from dataclasses import dataclass

from kizuna.chain.fees import Fee
from kizuna.chain.journal import Journal
from kizuna.chain.rpc import Log, Receipt
from kizuna.types import Digest


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does: calldata for a contract, or init code where `to` is None."""

    to: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Version:
    """One signed transaction. `cancels`: it only uses up the nonce of an intent whose deadline has passed."""

    hash: Digest
    raw: bytes
    fee: Fee
    cancels: bool


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing to be done once. `state` is open, done, reverted or expired."""

    id: int
    name: str
    nonce: int
    call: Call
    value: int
    gas: int
    deadline: int | None
    first_block: int
    state: str
    receipt: Receipt | None


class Intents:
    """The table of intents in a journal. Every method is one transaction."""

    _COLUMNS = "id, intent, nonce, target, data, value, gas, deadline, first_block, state, receipt"

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def find(self, name: str) -> Intent | None:
        row = self._journal.one(f"select {self._COLUMNS} from intents where intent = ?", (name,))
        return None if row is None else _intent(*row)

    def open(self) -> list[Intent]:
        """Intents whose nonce is not known to be used, lowest nonce first."""
        rows = self._journal.all(f"select {self._COLUMNS} from intents where state = 'open' order by nonce")
        return [_intent(*row) for row in rows]

    def add(
        self,
        name: str,
        call: Call,
        *,
        nonce: int,
        value: int,
        gas: int,
        deadline: int | None,
        block: int,
        version: Version,
    ) -> Intent:
        """Writes an intent and its first version; replaces an outcome that was no success."""
        with self._journal.writing():
            self._journal.run(
                "delete from versions where intent in (select id from intents where intent = ? or nonce = ?)",
                (name, nonce),
            )
            # A row that holds this nonce and is not open lost it in a reorganisation or to a reset chain.
            self._journal.run("update intents set nonce = null where nonce = ? and state != 'open'", (nonce,))
            self._journal.run("delete from intents where intent = ?", (name,))
            row = self._journal.run(
                "insert into intents (intent, nonce, target, data, value, gas, deadline, first_block)"
                " values (?, ?, ?, ?, ?, ?, ?, ?)",
                (name, nonce, call.to, call.data, str(value), gas, deadline, block),
            )
            self._add_version(row, version)
        return Intent(row, name, nonce, call, value, gas, deadline, block, "open", None)

    def add_version(self, intent: Intent, version: Version) -> None:
        with self._journal.writing():
            self._add_version(intent.id, version)

    def versions(self, intent: Intent) -> list[Version]:
        """Oldest first."""
        sql = "select hash, raw, max_fee, tip, cancels from versions where intent = ? order by rowid"
        return [
            Version(Digest(h), raw, Fee(int(fee), None if tip is None else int(tip)), bool(cancels))
            for h, raw, fee, tip, cancels in self._journal.all(sql, (intent.id,))
        ]

    def settle(self, intent: Intent, state: str, receipt: Receipt | None) -> None:
        with self._journal.writing():
            text = None if receipt is None else _dump(receipt)
            self._journal.run("update intents set state = ?, receipt = ? where id = ?", (state, text, intent.id))

    def drop(self, intent: Intent) -> None:
        """Forgets an intent whose nonce something else used up."""
        with self._journal.writing():
            self._journal.run("delete from versions where intent = ?", (intent.id,))
            self._journal.run("delete from intents where id = ?", (intent.id,))

    def _add_version(self, row: int, version: Version) -> None:
        tip = None if version.fee.tip is None else str(version.fee.tip)
        values = (version.hash, row, version.raw, str(version.fee.max_fee), tip, int(version.cancels))
        self._journal.run("insert or ignore into versions values (?, ?, ?, ?, ?, ?)", values)


def _intent(
    id: int,
    name: str,
    nonce: int | None,
    target: str | None,
    data: bytes,
    value: str,
    gas: int,
    deadline: int | None,
    first_block: int,
    state: str,
    receipt: str | None,
) -> Intent:
    return Intent(
        id, name, -1 if nonce is None else nonce, Call(target, data), int(value), gas, deadline, first_block, state,
        None if receipt is None else _load(receipt),
    )  # fmt: skip


def _dump(receipt: Receipt) -> str:
    logs = [
        [log.address, [t.hex() for t in log.topics], log.data.hex(), log.index] for log in receipt.logs
    ]  # fmt: skip
    head = [receipt.transaction.hex(), receipt.block, receipt.block_hash.hex(), receipt.status, receipt.gas_used]
    return json.dumps([*head, receipt.contract, logs])


def _load(text: str) -> Receipt:
    transaction, block, block_hash, status, gas_used, contract, logs = json.loads(text)
    tx, at = Digest(bytes.fromhex(transaction)), Digest(bytes.fromhex(block_hash))
    return Receipt(
        tx, block, at, status, gas_used,
        tuple(
            Log(address, tuple(bytes.fromhex(t) for t in topics), bytes.fromhex(data), block, at, tx, index)
            for address, topics, data, index in logs
        ),
        contract,
    )  # fmt: skip
