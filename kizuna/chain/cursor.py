"""The one reader of our contracts' events. It advances only over blocks that are tied together by hash.

Near the head it walks header by header and asks for logs by block hash, so a node that is behind, or on
another fork, cannot hide an event: it does not know the hash. Far from the head it asks for ranges, and
asks twice: once whole, once in halves. A node that cuts long lists silently contradicts itself there.
What cannot be detected is a node that leaves out the same events of one block every time, and whose
header bloom agrees.
"""

from __future__ import annotations

import logging

from kizuna.chain.deployment import Deployment
from kizuna.chain.events import Event, Place, Rewound, decode
from kizuna.chain.journal import Journal
from kizuna.chain.rpc import Block, Log, Rpc, RpcRefused
from kizuna.errors import RpcStale
from kizuna.hashing import keccak
from kizuna.types import ZERO_DIGEST, Digest

log = logging.getLogger(__name__)

TAIL_BLOCKS = 64
"""From this near to the head on, blocks are read one by one."""

_KEPT_BLOCKS = 512
_SPAN = 2_000
_GROW_AFTER = 16


class EventLog:
    """Events of one deployment, in chain order, kept in the agent's journal.

    The first `poll` of a process returns everything since the deployment, so that state is always rebuilt
    the same way; later ones return what is new. A `Rewound` event says that everything above its block
    did not happen. Raises ConfigError if the journal belongs to another deployment.
    """

    def __init__(self, rpc: Rpc, deployment: Deployment, journal: Journal, *, span: int = _SPAN) -> None:
        self._rpc, self._journal = rpc, journal
        self._first = deployment.block
        self._anchor = deployment.block_hash
        self._addresses = sorted(address.lower() for address in deployment.core)
        self._blooms = [_bloom(bytes.fromhex(a[2:])) for a in self._addresses]
        self._span = self._most = max(1, span)
        self._smooth = 0
        self._started = False
        contracts = keccak("".join(self._addresses).encode())
        journal.bind("deployment", f"{deployment.chain_id}/{self._anchor.hex()}/{contracts.hex()}", "deployment")

    @property
    def position(self) -> tuple[int, Digest] | None:
        """The last block that was read, None before the first poll."""
        row = self._journal.one("select number, hash from blocks order by number desc limit 1")
        return None if row is None else (row[0], Digest(row[1]))

    def poll(self) -> list[Event]:
        """New events. Raises RpcStale if the node is behind what was already read, or on another chain.

        Whatever happens, nothing is lost or delivered twice: the next call goes on from the last whole block.
        """
        head = self._rpc.head()
        events: list[Event] = []
        back = self._rewind(head)
        if not self._started:
            events += self._decoded(self._stored())
            self._started = True
        elif back is not None:
            events.append(back)
        try:
            self._follow(head, events)
        except (RpcStale, RpcRefused) as error:
            if not events:
                raise
            log.warning("events up to block %s only: %s", self.position, error)
        return events

    # --- forward ---

    def _follow(self, head: Block, events: list[Event]) -> None:
        while True:
            at = self.position
            first = self._first if at is None else at[0] + 1
            if first > head.number:
                return
            if head.number - first < TAIL_BLOCKS:
                events += self._decoded(self._walk(first, head, at))
                return
            events += self._decoded(self._stride(first, head))

    def _stride(self, first: int, head: Block) -> list[Log]:
        """One range, as long as the node allows."""
        while True:
            last = min(first + self._span - 1, head.number - TAIL_BLOCKS)
            last = max(first, last)
            end = self._rpc.block(last)
            try:
                found = self._range(first, last)
            except RpcRefused:
                # Why does not matter, and wordings differ: a shorter range is the only thing to try.
                if self._span == 1:
                    raise
                self._span, self._smooth = max(1, min(self._span, last - first + 1) // 2), 0
                continue
            if self._rpc.block(last).hash != end.hash:
                raise RpcStale(f"{self._rpc.url} changed block {last} while it was read")
            self._smooth += 1
            if self._smooth % _GROW_AFTER == 0:
                self._span = min(self._most, 2 * self._span)
            self._keep(found, [(last, end.hash)])
            return found

    def _range(self, first: int, last: int) -> list[Log]:
        """Logs of a range on which the whole and its two halves agree."""
        if first == last:
            return self._block_logs(self._rpc.block(first))
        middle = (first + last) // 2
        whole = self._rpc.logs(self._addresses, first=first, last=last)
        left = self._rpc.logs(self._addresses, first=first, last=middle)
        right = self._rpc.logs(self._addresses, first=middle + 1, last=last)
        if whole == left + right and all(first <= entry.block <= last for entry in whole):
            return _in_order(whole)
        log.warning("%s cuts lists of events silently (blocks %d to %d)", self._rpc.url, first, last)
        return self._range(first, middle) + self._range(middle + 1, last)

    def _walk(self, first: int, head: Block, at: tuple[int, Digest] | None) -> list[Log]:
        """Block by block up to `head`, each one the child of the one before."""
        parent = at[1] if at is not None else None
        found: list[Log] = []
        read: list[tuple[int, Digest]] = []
        for number in range(first, head.number + 1):
            block = head if number == head.number else self._rpc.block(number)
            if parent is not None and block.parent != parent:
                break  # Reorganised this very moment; the next poll finds out how far.
            found += self._block_logs(block)
            read.append((number, block.hash))
            parent = block.hash
        self._keep(found, read)
        return found

    def _block_logs(self, block: Block) -> list[Log]:
        blind = not any(block.bloom) and block.transactions > 0  # Some chains leave blooms empty.
        likely = any(_holds(block.bloom, bloom) for bloom in self._blooms)
        if not (blind or likely):
            return []
        for _ in range(2 if likely else 1):  # A bloom that promises what the list lacks is asked about again.
            found = self._rpc.logs(self._addresses, block_hash=block.hash)
            if any(entry.block_hash != block.hash for entry in found):
                raise RpcStale(f"{self._rpc.url} answered with events of another block than {block.number}")
            if found:
                return _in_order(found)
        return []

    # --- back ---

    def _rewind(self, head: Block) -> Rewound | None:
        """Forgets blocks that are no longer on the chain."""
        rows = self._journal.all("select number, hash from blocks order by number desc")
        if not rows:
            if self._rpc.block(self._first).hash != self._anchor:
                raise RpcStale(f"{self._rpc.url} is on another chain: block {self._first} is not the deployment's")
            return None
        if head.number < rows[0][0]:
            raise RpcStale(f"{self._rpc.url} is at block {head.number}, events are read up to {rows[0][0]}")
        for number, known in rows:
            if self._rpc.block(number).hash == known:
                break
        else:
            number, known = self._first - 1, ZERO_DIGEST
            if self._rpc.block(self._first).hash != self._anchor:
                raise RpcStale(f"{self._rpc.url} is on another chain: block {self._first} is not the deployment's")
        if number == rows[0][0]:
            return None
        log.warning("the chain was reorganised: events above block %d are read again", number)
        with self._journal.writing():
            self._journal.run("delete from logs where block > ?", (number,))
            self._journal.run("delete from blocks where number > ?", (number,))
        return Rewound(Place(number, 0, Digest(known), ZERO_DIGEST))

    # --- on disk ---

    def _keep(self, found: list[Log], read: list[tuple[int, Digest]]) -> None:
        if not read:
            return
        with self._journal.writing():
            for entry in found:
                values = (entry.block, entry.index, entry.block_hash, entry.transaction, entry.address)
                body = (b"".join(entry.topics), entry.data)
                self._journal.run("insert or replace into logs values (?, ?, ?, ?, ?, ?, ?)", (*values, *body))
            for number, known in read:
                self._journal.run("insert or replace into blocks values (?, ?)", (number, known))
            # Old blocks stay as anchors, thinned out: one in 512 is enough to find a common ancestor.
            self._journal.run(
                "delete from blocks where number < ? and number % ? != 0", (read[-1][0] - _KEPT_BLOCKS, _KEPT_BLOCKS)
            )

    def _stored(self) -> list[Log]:
        rows = self._journal.all(
            "select address, topics, data, block, block_hash, tx, idx from logs order by block, idx"
        )
        return [
            Log(
                address,
                tuple(topics[i : i + 32] for i in range(0, len(topics), 32)),
                data,
                block,
                Digest(h),
                Digest(tx),
                i,
            )
            for address, topics, data, block, h, tx, i in rows
        ]

    def _decoded(self, logs: list[Log]) -> list[Event]:
        return [event for event in map(decode, logs) if event is not None]


def _in_order(logs: list[Log]) -> list[Log]:
    return sorted(logs, key=lambda entry: (entry.block, entry.index))


def _bloom(value: bytes) -> int:
    """The three bits of a 2,048-bit header bloom that an address sets (Ethereum yellow paper, 4.4.3)."""
    digest = keccak(value)
    return sum(1 << b for b in {int.from_bytes(digest[i : i + 2], "big") & 2047 for i in (0, 2, 4)})


def _holds(bloom: bytes, wanted: int) -> bool:
    return int.from_bytes(bloom, "big") & wanted == wanted
