"""Why a transaction that is in a block reverted. Receipts do not say; the call, made again there, does."""

from __future__ import annotations

from kizuna.chain.errors import RevertedSilently
from kizuna.chain.intents import Call
from kizuna.chain.rpc import Receipt, Rpc
from kizuna.errors import ChainError, Reverted


def why_reverted(rpc: Rpc, call: Call, receipt: Receipt, sender: str, *, gas: int, value: int) -> Reverted:
    """The named error behind a receipt with status 0.

    The call is made after its block and, if it passes there, before it: what failed because it was late
    still fails after, what lost a race fails before or after.
    """
    if receipt.gas_used >= gas:
        return RevertedSilently("", f"all {gas} gas used in block {receipt.block}: out of gas")
    silent: Reverted | None = None
    for number in (receipt.block, receipt.block - 1):
        try:
            block = rpc.block(number)
            rpc.call(call.to or "", call.data, at=block, sender=sender, gas=gas, value=value)
        except RevertedSilently as error:
            silent = error
        except Reverted as error:
            return error
        except ChainError:
            continue
    return silent or RevertedSilently("", f"status 0 in block {receipt.block}, and the same call passes now")
