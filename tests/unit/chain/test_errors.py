"""One exception for one error, however the node wraps it (NomicFoundation/hardhat#8310)."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from support.proxy import Proxy, Rule, error

from kizuna.chain import Devnet, Rpc, errors
from kizuna.chain.abi import CORE, artifact
from kizuna.chain.errors import RevertedSilently
from kizuna.errors import Reverted
from kizuna.hashing import keccak

DATA = (
    "0x" + (keccak(b"Slots_StillActive(uint256,uint8,uint8,uint32)")[:4] + encode(["uint256"] * 4, [7, 1, 3, 9])).hex()
)
LIBRARY = "0x" + (keccak(b"SafeERC20FailedOperation(address)")[:4] + encode(["address"], ["0x" + "ab" * 20])).hex()
BLOCK_HASH = "0x" + "be" * 32


def shapes(data: str) -> dict[str, Rule]:
    return {
        "code 3": error(3, "execution reverted: custom error", data),
        "nested": error(
            -32603, "Internal JSON-RPC error.", {"message": "VM Exception", "txHash": BLOCK_HASH, "data": data}
        ),
        "twice nested": error(-32603, "call failed", {"originalError": {"code": 3, "data": data}}),
        "by transaction": error(-32000, "VM Exception", {BLOCK_HASH: {"error": "revert", "return": data}}),
        "prefix": error(-32015, "VM execution error.", f"Reverted {data}"),
        "message": error(-32000, f"execution reverted: {data}"),
    }


@pytest.mark.parametrize("shape", shapes(DATA))
@pytest.mark.parametrize(
    ("data", "name", "args"),
    [
        (DATA, "Slots_StillActive", (7, 1, 3, 9)),
        (LIBRARY, "SafeERC20FailedOperation", ("0x" + "ab" * 20,)),
    ],
)
def test_every_shape_gives_the_same_named_exception(
    devnet_only: Devnet, shape: str, data: str, name: str, args: tuple[object, ...]
) -> None:
    with Proxy(devnet_only.url) as proxy:
        proxy.on("eth_call", shapes(data)[shape])
        rpc = Rpc(proxy.url)
        with pytest.raises(getattr(errors, name)) as caught:
            rpc.call("0x" + "11" * 20, b"", at=rpc.head())
        assert proxy.count("eth_call") == 1
    assert caught.value.name == name
    assert caught.value.args_ == args


def test_answer_without_data_gives_a_hint(devnet_only: Devnet) -> None:
    with Proxy(devnet_only.url) as proxy:
        proxy.on("eth_call", error(-32000, "execution reverted"))
        rpc = Rpc(proxy.url)
        with pytest.raises(RevertedSilently, match=r"no reason given.*another RPC"):
            rpc.call("0x" + "11" * 20, b"", at=rpc.head())
        assert proxy.count("eth_call") == 1


def test_unknown_error_shows_its_raw_data() -> None:
    found = errors.decode({"code": 3, "message": "execution reverted", "data": "0xdeadbeef" + "00" * 32})
    assert isinstance(found, RevertedSilently)
    assert found.data == "0xdeadbeef" + "00" * 32
    assert found.data in str(found)


def test_refusal_that_is_no_revert_is_none() -> None:
    assert errors.decode({"code": -32005, "message": f"limit exceeded, see block {BLOCK_HASH}"}) is None
    assert errors.decode({"code": -32000, "message": "header not found"}) is None


def test_damaged_arguments_do_not_pass_as_a_named_error() -> None:
    found = errors.decode({"code": 3, "message": "execution reverted", "data": DATA[:-64]})
    assert isinstance(found, RevertedSilently)


def test_reasons_and_panics_are_named() -> None:
    reason = "0x08c379a0" + encode(["string"], ["too late"]).hex()
    assert str(errors.decode(reason)) == "the contract refused the call: Error(too late)"
    panic = "0x4e487b71" + encode(["uint256"], [0x11]).hex()
    found = errors.decode(panic)
    assert found is not None and found.args_ == (0x11,)


def test_every_custom_error_of_every_contract_is_an_exception() -> None:
    names = {kind.name for name in CORE for kind in artifact(name).errors}
    assert {"Rounds_WrongPhase", "Vault_Insufficient", "Court_NotJuror"} <= names
    for name in names:
        assert issubclass(getattr(errors, name), Reverted)


def test_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="Rounds_Nonsense"):
        _ = errors.Rounds_Nonsense
