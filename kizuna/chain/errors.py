"""Named exceptions for every custom error of the contracts, and the decoder that finds them.

`errors.Rounds_WrongPhase` and so on are classes made from the committed ABIs, each a subclass of
`kizuna.errors.Reverted`; those of OpenZeppelin are included, because what reverts deep inside a call
surfaces through our contracts. Nodes wrap revert data in different ways, so `decode` looks for the
bytes, never at the wording around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError

from kizuna.chain.abi import CORE, DRAND, TOKEN, ErrorType, artifact, error_type
from kizuna.errors import DeploymentMissing, Reverted

_OPEN_ZEPPELIN = (
    "AddressEmptyCode(address target)",
    "CheckpointUnorderedInsertion()",
    "ECDSAInvalidSignature()",
    "ECDSAInvalidSignatureLength(uint256 length)",
    "ECDSAInvalidSignatureS(bytes32 s)",
    "ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)",
    "ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)",
    "ERC20InvalidApprover(address approver)",
    "ERC20InvalidReceiver(address receiver)",
    "ERC20InvalidSender(address sender)",
    "ERC20InvalidSpender(address spender)",
    "ERC2612ExpiredSignature(uint256 deadline)",
    "ERC2612InvalidSigner(address signer, address owner)",
    "FailedCall()",
    "FailedDeployment()",
    "InsufficientBalance(uint256 balance, uint256 needed)",
    "InvalidAccountNonce(address account, uint256 currentNonce)",
    "InvalidShortString()",
    "OwnableInvalidOwner(address owner)",
    "OwnableUnauthorizedAccount(address account)",
    "ReentrancyGuardReentrantCall()",
    "SafeCastOverflowedIntDowncast(uint8 bits, int256 value)",
    "SafeCastOverflowedIntToUint(int256 value)",
    "SafeCastOverflowedUintDowncast(uint8 bits, uint256 value)",
    "SafeCastOverflowedUintToInt(uint256 value)",
    "SafeERC20FailedDecreaseAllowance(address spender, uint256 currentAllowance, uint256 requestedDecrease)",
    "SafeERC20FailedOperation(address token)",
    "StringTooLong(string str)",
)
_SOLIDITY = ("Error(string reason)", "Panic(uint256 code)")
# 4 + 32 n bytes: a block or transaction hash (32 bytes) never matches.
_REVERT_DATA = re.compile(r"0x[0-9a-fA-F]{8}(?:[0-9a-fA-F]{64})*(?![0-9a-fA-F])")
_REVERT_CODES = frozenset({3, -32015})


class RevertedSilently(Reverted):
    """A call reverted and the node sent no data that a known error decodes from."""

    def __init__(self, data: str, message: str) -> None:
        shown = f"unknown error {data}" if data else "no reason given"
        super().__init__(shown, (), data)
        hint = "is this installation older than the contracts?" if data else "another RPC may tell"
        self.args = (f"the contract refused the call: {shown} (the node said: {message[:200]!r}); {hint}",)


@cache
def by_selector() -> dict[bytes, type[Reverted]]:
    """Every known exception class by the four bytes its error starts with."""
    kinds: dict[bytes, ErrorType] = {}
    for signature in (*_OPEN_ZEPPELIN, *_SOLIDITY):
        kind = _parse(signature)
        kinds[kind.selector] = kind
    for name in (*CORE, DRAND, TOKEN):
        try:
            kinds.update({kind.selector: kind for kind in artifact(name).errors})
        except DeploymentMissing:
            continue
    return {selector: _exception(kind) for selector, kind in kinds.items()}


def decode(error: object) -> Reverted | None:
    """The exception an RPC error stands for, or None if the error is no revert.

    `error` is the JSON-RPC error object, or revert data as bytes or 0x-hex. Known shapes: code 3 with
    hex data, data nested in objects under any code, a string with a prefix, and no data at all.
    """
    if isinstance(error, bytes):
        error = "0x" + error.hex()
    found = [bytes.fromhex(text[2:]) for text in _candidates(error)]
    for data in found:
        named = _named(data)
        if named is not None:
            return named
    message = _message(error)
    if not _is_revert(error, message):
        return None
    return RevertedSilently("0x" + found[0].hex() if found else "", message)


def __getattr__(name: str) -> type[Reverted]:
    # The import system asks modules for dunder names; that must not load the artifacts.
    for kind in () if name.startswith("_") else by_selector().values():
        if kind.__name__ == name:
            return kind
    raise AttributeError(f"no contract has an error named {name}")


def _named(data: bytes) -> Reverted | None:
    kind = by_selector().get(data[:4])
    if kind is None:
        return None
    types: tuple[str, ...] = kind.types  # type: ignore[attr-defined]
    try:
        args = tuple(abi_decode(types, data[4:]))
    except DecodingError:
        return None
    return kind(kind.__name__, args, "0x" + data.hex())


def _exception(kind: ErrorType) -> type[Reverted]:
    doc = f"{kind.name}({', '.join(f'{t} {n}' for t, n in zip(kind.types, kind.names, strict=True))})"
    body = {"__doc__": doc, "__module__": __name__, "types": kind.types, "fields": kind.names}
    return type(kind.name, (Reverted,), body)


def _candidates(error: object) -> Iterator[str]:
    """Hex strings that may be revert data, data fields before messages."""
    if isinstance(error, str):
        yield from _REVERT_DATA.findall(error)
    elif isinstance(error, Mapping):
        for key in sorted(error, key=lambda key: str(key) in ("message", "reason")):
            yield from _candidates(error[key])
    elif isinstance(error, list):
        for part in error[:16]:
            yield from _candidates(part)


def _message(error: object) -> str:
    return str(error.get("message", "")) if isinstance(error, Mapping) else ""


def _is_revert(error: object, message: str) -> bool:
    code: Any = error.get("code") if isinstance(error, Mapping) else None
    return code in _REVERT_CODES or "revert" in message.lower() or isinstance(error, str)


def _parse(signature: str) -> ErrorType:
    name, _, rest = signature.removesuffix(")").partition("(")
    words = [part.split() for part in rest.split(", ") if part]
    return error_type(name, [{"type": kind, "name": field} for kind, field in words])
