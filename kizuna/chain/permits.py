"""ERC-2612 permits: an approval as a signature (EIP-712)."""

from __future__ import annotations

from typing import Any

from eth_account.messages import encode_typed_data
from eth_account.signers.base import BaseAccount

from kizuna.chain.abi import TOKEN, artifact
from kizuna.chain.reads import Reads

_PERMIT = [
    {"name": "owner", "type": "address"},
    {"name": "spender", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "nonce", "type": "uint256"},
    {"name": "deadline", "type": "uint256"},
]


def sign(reads: Reads, token: str, amount: int, *, account: BaseAccount, deadline_s: int) -> tuple[int, bytes, bytes]:
    """(v, r, s) of a permit for the vault over `amount` wei until `deadline_s` (chain time).

    Raises Reverted if the token has no ERC-5267 domain or no permit.
    """
    _, name, version, chain_id, contract, _, _ = _ask(reads, token, "eip712Domain")
    (nonce,) = _ask(reads, token, "nonces", account.address)
    domain = {"name": name, "version": version, "chainId": chain_id, "verifyingContract": contract}
    who = {"owner": account.address, "spender": reads.deployment.vault}
    values = {**who, "value": amount, "nonce": nonce, "deadline": deadline_s}
    signed = account.sign_message(encode_typed_data(domain, {"Permit": _PERMIT}, values))
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def _ask(reads: Reads, token: str, name: str, *args: Any) -> tuple[Any, ...]:
    function = artifact(TOKEN).functions[name]
    return function.decode(reads.rpc.call(token, function.encode(*args), at=reads.block))
