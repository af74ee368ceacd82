"""What to offer for a place in a block, on chains with and without a base fee (EIP-1559)."""

from __future__ import annotations

from dataclasses import dataclass

from kizuna.chain.rpc import Block, Rpc, RpcRefused

GWEI = 10**9
BUMP_PERCENT = 13
"""Nodes replace a pending transaction only for at least 10 % more (some 12.5 %) on both numbers."""


@dataclass(frozen=True, slots=True)
class Fee:
    """Wei per gas. `tip` None means a legacy transaction with one gas price."""

    max_fee: int
    tip: int | None

    def fields(self) -> dict[str, int]:
        """The fee part of a transaction to sign."""
        if self.tip is None:
            return {"gasPrice": self.max_fee}
        return {"type": 2, "maxFeePerGas": self.max_fee, "maxPriorityFeePerGas": self.tip}

    def raised(self) -> Fee:
        """The least fee with which a node replaces this one."""
        return Fee(_bump(self.max_fee), None if self.tip is None else _bump(self.tip))


def market(rpc: Rpc, head: Block) -> Fee:
    """What gets in now and still does after the base fee has doubled."""
    if head.base_fee is None:
        return Fee(int(rpc.request("eth_gasPrice"), 16), None)
    tip = _tip(rpc)
    return Fee(2 * head.base_fee + tip, tip)


def replacement(rpc: Rpc, head: Block, old: Fee) -> Fee:
    """A fee that replaces `old` and meets the market."""
    least, now = old.raised(), market(rpc, head)
    tip = None if least.tip is None else max(least.tip, now.tip or 0)
    return Fee(max(least.max_fee, now.max_fee), tip)


def _tip(rpc: Rpc) -> int:
    try:
        return int(rpc.request("eth_maxPriorityFeePerGas"), 16)
    except RpcRefused:
        pass
    try:
        rewards = rpc.request("eth_feeHistory", ["0x5", "latest", [50]]).get("reward") or []
    except RpcRefused:
        return GWEI
    paid = sorted(int(row[0], 16) for row in rewards if row)
    return paid[len(paid) // 2] if paid else GWEI


def _bump(price: int) -> int:
    return price + max(1, -(-price * BUMP_PERCENT // 100))  # up: a replacement that is 1 wei short is refused
