"""A chain node (or several) that is not trusted to be up, fresh, or on the chain it was on a moment ago.

Every call has a deadline; only failures of the transport are repeated, a bounded number of times and
ever slower. Reads name the block they are about by hash, never as "latest": behind a load balancer
"latest" means another block on every call.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kizuna.chain import errors
from kizuna.chain.transport import HttpTransport, RpcRefused
from kizuna.errors import RpcStale, RpcUnavailable, WrongChain
from kizuna.types import Digest

__all__ = ["Block", "Health", "Log", "Receipt", "Rpc", "RpcRefused", "log_of", "receipt_of"]

log = logging.getLogger(__name__)

T = TypeVar("T")

_ZERO_CALLER = "0x0000000000000000000000000000000000000000"
_BLOOM_BYTES = 256
_HELLO_S = 5.0
"""What a node gets to say which chain it is on: it has to read nothing for that."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block header, as far as agents need it."""

    number: int
    hash: Digest
    parent: Digest
    timestamp: int
    base_fee: int | None
    gas_limit: int
    bloom: bytes
    transactions: int


@dataclass(frozen=True, slots=True)
class Log:
    """One raw event and its place on the chain."""

    address: str  # lower case
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    block_hash: Digest
    transaction: Digest
    index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a transaction that is in a block."""

    transaction: Digest
    block: int
    block_hash: Digest
    status: int
    gas_used: int
    logs: tuple[Log, ...]
    contract: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """What a node looks like from here. `age_s` is how long its head has stood still."""

    url: str
    number: int
    age_s: float
    stale: bool
    reason: str = ""


class Rpc:
    """One or more upstreams of the same chain; the first is used until it fails or falls behind.

    `clock` is monotonic seconds, `sleep` waits; both are injected so that tests need neither.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        chain_id: int | None = None,
        timeout_s: float = 10.0,
        attempts: int = 4,
        stale_after_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        urls = [url] if isinstance(url, str) else list(url)
        if not urls:
            raise ValueError("at least one RPC URL is needed")
        self._nodes = [HttpTransport(u, clock=clock) for u in urls]
        self._current = 0
        self._expected = chain_id
        self._checked_at: float | None = None
        self._timeout_s, self._attempts, self._stale_after_s = timeout_s, attempts, stale_after_s
        self._clock, self._sleep = clock, sleep
        self._best = -1
        self._best_at = clock()
        self._genesis: Digest | None = None
        self._by_hash = True

    @property
    def url(self) -> str:
        return self._nodes[self._current].url

    @property
    def w3(self) -> Any:
        """A plain web3 instance on the current upstream, for work at the prompt; agents never use it."""
        from web3 import HTTPProvider, Web3

        return Web3(HTTPProvider(self.url))

    def close(self) -> None:
        for node in self._nodes:
            node.close()

    # --- asking ---

    def request(self, method: str, params: Sequence[Any] = (), *, timeout_s: float | None = None) -> Any:
        """The raw result of a call. Raises RpcUnavailable, RpcRefused, or Reverted where the answer is a revert."""
        failure: RpcUnavailable | None = None
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(min(0.25 * 2 ** (attempt - 1), 4.0))
            try:
                node = self._nodes[self._current]
                return node.request(method, list(params), timeout_s=timeout_s or self._timeout_s)
            except RpcUnavailable as error:
                failure = error
                self._next_node(str(error))
            except RpcRefused as error:
                reverted = errors.decode(error.error)
                if reverted is not None:
                    raise reverted from None
                raise
        raise RpcUnavailable(
            f"no answer to {method} after {self._attempts} tries: {failure}: is the node running, and the URL right?"
        ) from failure

    def broadcast(self, raw: bytes) -> None:
        """Sends signed bytes once. The answer is not returned: the chain says what became of them."""
        try:
            node = self._nodes[self._current]
            node.request("eth_sendRawTransaction", [_hex(raw)], timeout_s=self._timeout_s)
        except (RpcUnavailable, RpcRefused) as error:
            log.debug("send: %s", error)

    # --- the chain ---

    def chain_id(self) -> int:
        return _parsed("chain id", _number, self.request("eth_chainId", timeout_s=min(self._timeout_s, _HELLO_S)))

    def genesis(self) -> Digest:
        """Hash of block 0."""
        if self._genesis is None:
            self._genesis = self.block(0).hash
        return self._genesis

    def check_chain(self, *, max_age_s: float = 15.0) -> None:
        """Raises WrongChain if the node now answers for another chain than at first."""
        now = self._clock()
        if self._checked_at is not None and now - self._checked_at < max_age_s:
            return
        found = self.chain_id()
        if self._expected is None:
            self._expected = found
        if found != self._expected:
            raise WrongChain(f"{self.url} answers for chain {found}, expected chain {self._expected}")
        first = self.block(0).hash
        self._genesis = self._genesis or first
        if first != self._genesis:
            raise WrongChain(f"{self.url} answers for another chain {found} than before: it has another first block")
        self._checked_at = now

    def head(self) -> Block:
        """The newest block. Never an older one than seen before: raises RpcStale while the node is behind."""
        self.check_chain()
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(min(0.1 * 2 ** (attempt - 1), 1.0))
            block = _parsed("block", _block, self.request("eth_getBlockByNumber", ["latest", False]))
            if block.number > self._best:
                self._best, self._best_at = block.number, self._clock()
            elif self._clock() - self._best_at > self._stale_after_s:
                block = self._fresher_than(block)
            if block.number >= self._best:
                return block
        raise RpcStale(f"{self.url} is at block {block.number}, but block {self._best} was seen before")

    def health(self) -> Health:
        """Freshness of the current upstream; never raises for a stale one."""
        try:
            block = self.head()
        except RpcStale as error:
            return Health(self.url, self._best, self._clock() - self._best_at, True, str(error))
        age = self._clock() - self._best_at
        stale = age > self._stale_after_s
        reason = f"{self.url} has stood at block {block.number} for {age:.0f} s" if stale else ""
        return Health(self.url, block.number, age, stale, reason)

    def block(self, ref: int | bytes) -> Block:
        """A block by number or hash. Raises RpcStale if the node does not (yet) know it."""
        found = self.find_block(ref)
        if found is None:
            shown = ref if isinstance(ref, int) else _hex(ref)
            raise RpcStale(f"{self.url} does not know block {shown}")
        return found

    def find_block(self, ref: int | bytes) -> Block | None:
        """As `block`, None if the node does not know it."""
        if isinstance(ref, int):
            found = self.request("eth_getBlockByNumber", [hex(ref), False])
        else:
            found = self.request("eth_getBlockByHash", [_hex(ref), False])
        return None if found is None else _parsed("block", _block, found)

    def call(
        self, to: str, data: bytes, *, at: Block, sender: str = _ZERO_CALLER, gas: int | None = None, value: int = 0
    ) -> bytes:
        """What a call returns in the state after block `at`. Raises Reverted (by name), RpcStale, RpcUnavailable."""
        message = {"from": sender, "to": to, "data": _hex(data), "value": hex(value)}
        if gas is not None:
            message["gas"] = hex(gas)
        return _parsed("answer", _bytes, self._pinned("eth_call", [message], at))

    def code(self, address: str, *, at: Block) -> bytes:
        return _parsed("code", _bytes, self._pinned("eth_getCode", [address], at))

    def balance(self, address: str, *, at: Block) -> int:
        return _parsed("balance", _number, self._pinned("eth_getBalance", [address], at))

    def nonce(self, address: str, *, at: Block) -> int:
        """Transactions of `address` in blocks up to `at`."""
        return _parsed("nonce", _number, self._pinned("eth_getTransactionCount", [address], at))

    def estimate_gas(self, message: dict[str, str]) -> int:
        return _parsed("gas", _number, self.request("eth_estimateGas", [message]))

    def receipt(self, transaction: bytes) -> Receipt | None:
        """The receipt, None while the transaction is in no block the node knows."""
        found = self.request("eth_getTransactionReceipt", [_hex(transaction)])
        if not isinstance(found, dict) or found.get("blockHash") is None:
            return None
        return _parsed("receipt", receipt_of, found)

    def knows_transaction(self, transaction: bytes) -> bool:
        """Whether the node has it in a block or in its pool."""
        return self.request("eth_getTransactionByHash", [_hex(transaction)]) is not None

    def logs(
        self,
        addresses: Sequence[str],
        *,
        first: int | None = None,
        last: int | None = None,
        block_hash: bytes | None = None,
        topics: Sequence[str | list[str] | None] = (),
    ) -> list[Log]:
        """Events of `addresses` in blocks first..last, or in one block by hash."""
        query: dict[str, Any] = {"address": list(addresses)}
        if topics:
            query["topics"] = list(topics)
        if block_hash is not None:
            query["blockHash"] = _hex(block_hash)
        else:
            query |= {"fromBlock": hex(first or 0), "toBlock": hex(last or 0)}
        return _parsed("logs", _logs, self.request("eth_getLogs", [query]))

    # --- inside ---

    def _pinned(self, method: str, params: list[Any], at: Block) -> Any:
        """Asks about the state after `at`; a node that does not know the block yet is given time, not believed."""
        refused: RpcRefused | None = None
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(min(0.1 * 2 ** (attempt - 1), 1.0))
            reference: Any = {"blockHash": _hex(at.hash)} if self._by_hash else hex(at.number)
            try:
                return self.request(method, [*params, reference])
            except RpcRefused as error:
                refused = error
                known = self.find_block(at.hash) is not None
                if known and self._by_hash and error.code == -32602:
                    self._by_hash = False  # A node without EIP-1898.
                elif known:
                    raise
        raise RpcStale(f"{self.url} does not know block {at.number} ({_hex(at.hash)[:10]}): {refused}") from refused

    def _next_node(self, why: str) -> None:
        if len(self._nodes) > 1:
            left = self.url
            self._current = (self._current + 1) % len(self._nodes)
            self._checked_at = None
            log.warning("left RPC %s for %s: %s", left, self.url, why)

    def _fresher_than(self, block: Block) -> Block:
        """The head of another upstream that is ahead of a node that stands still; else `block`."""
        for index, node in enumerate(self._nodes):
            if index == self._current:
                continue
            try:
                params = ["latest", False]
                other = _parsed(
                    "block", _block, node.request("eth_getBlockByNumber", params, timeout_s=self._timeout_s)
                )
            except (RpcUnavailable, RpcRefused):
                continue
            if other.number > block.number:
                log.warning("left RPC %s, stuck at block %d, for %s", self.url, block.number, node.url)
                self._current, self._checked_at = index, None
                self.check_chain()
                self._best, self._best_at = max(self._best, other.number), self._clock()
                return other
        return block


def _parsed(what: str, parse: Callable[[Any], T], answer: Any) -> T:
    """Answers come from a stranger: what does not parse counts as no answer."""
    try:
        return parse(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RpcUnavailable(
            f"malformed {what} from the node ({type(error).__name__}): is its URL that of an RPC?"
        ) from None


def _block(answer: dict[str, Any]) -> Block:
    fee = answer.get("baseFeePerGas")
    return Block(
        number=int(answer["number"], 16),
        hash=Digest(_bytes(answer["hash"])),
        parent=Digest(_bytes(answer["parentHash"])),
        timestamp=int(answer["timestamp"], 16),
        base_fee=None if fee is None else int(fee, 16),
        gas_limit=int(answer["gasLimit"], 16),
        bloom=_bytes(answer.get("logsBloom") or "0x").rjust(_BLOOM_BYTES, b"\0"),
        transactions=len(answer.get("transactions", ())),
    )


def log_of(answer: dict[str, Any]) -> Log:
    """A log as nodes give it in JSON."""
    return Log(
        address=str(answer["address"]).lower(),
        topics=tuple(_bytes(topic) for topic in answer["topics"]),
        data=_bytes(answer["data"]),
        block=int(answer["blockNumber"], 16),
        block_hash=Digest(_bytes(answer["blockHash"])),
        transaction=Digest(_bytes(answer["transactionHash"])),
        index=int(answer["logIndex"], 16),
    )


def _logs(answer: Any) -> list[Log]:
    return [log_of(entry) for entry in answer]


def receipt_of(answer: dict[str, Any]) -> Receipt:
    """A receipt as nodes give it in JSON."""
    return Receipt(
        transaction=Digest(_bytes(answer["transactionHash"])),
        block=int(answer["blockNumber"], 16),
        block_hash=Digest(_bytes(answer["blockHash"])),
        status=int(answer.get("status") or "0x1", 16),
        gas_used=int(answer["gasUsed"], 16),
        logs=tuple(log_of(entry) for entry in answer["logs"]),
        contract=answer.get("contractAddress"),
    )


def _number(answer: str) -> int:
    return int(answer, 16)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
