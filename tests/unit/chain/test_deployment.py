"""Only the contracts that were meant, on the chain that was meant, with no compiler or network to get them.

Elsewhere an old file on a restarted chain gave cryptic errors (graphprotocol/graph-node#2332).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kizuna.chain import Deployment, Devnet, Kizuna, Rpc, deploy
from kizuna.chain.deployment import create_address
from kizuna.errors import DeploymentMissing

CHAIN = 31337


@pytest.fixture
def written(deployment: Deployment, tmp_path: Path) -> Path:
    deployment.write(tmp_path)
    return tmp_path


def change(folder: Path, edit: Callable[[Any], None]) -> None:
    path = folder / f"{CHAIN}.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_deployment_is_read_back_as_written(deployment: Deployment, written: Path, rpc: Rpc) -> None:
    found = Deployment.read(CHAIN, written)
    assert found == deployment
    found.verify(rpc)


def test_contracts_know_each_other(deployment: Deployment, rpc: Rpc) -> None:
    chain = Kizuna(rpc, deployment)
    assert chain._view("Rounds", "VAULT").lower() == deployment.vault.lower()
    assert chain._view("Vault", "COURT").lower() == deployment.court.lower()


def test_created_addresses_follow_from_the_nonce() -> None:
    sender = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"
    assert create_address(sender, 0).lower() == "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
    assert create_address(sender, 1).lower() == "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"


def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DeploymentMissing, match="kizuna deploy"):
        Deployment.read(CHAIN, tmp_path)


def test_fresh_chain_under_an_old_file_is_one_line(deployment: Deployment) -> None:
    with Devnet(mining="manual", extra=("--timestamp", "1700000000")) as fresh:
        for blocks in (0, deployment.block + 1):
            fresh.mine(blocks)
            with pytest.raises(DeploymentMissing, match="another chain with the same id") as caught:
                deployment.verify(fresh.rpc())
            assert "\n" not in str(caught.value)


def test_file_of_another_chain_id_is_refused(deployment: Deployment, written: Path) -> None:
    with Devnet(mining="manual", chain_id=5) as other, pytest.raises(DeploymentMissing, match="is chain 5"):
        deployment.verify(Rpc(other.url))
    (written / f"{CHAIN}.json").rename(written / "5.json")
    with pytest.raises(DeploymentMissing, match="chainId"):
        Deployment.read(5, written)


def test_address_without_code_is_named(devnet: Devnet, deployment: Deployment, rpc: Rpc) -> None:
    devnet.control("anvil_setCode", deployment.court, "0x")
    with pytest.raises(DeploymentMissing, match=r"contracts\.Court\.address: there is no code"):
        deployment.verify(rpc)


def test_other_code_is_named(devnet: Devnet, deployment: Deployment, rpc: Rpc) -> None:
    devnet.control("anvil_setCode", deployment.slots, "0x00")
    with pytest.raises(DeploymentMissing, match=r"contracts\.Slots\.codeHash"):
        deployment.verify(rpc)


def test_lower_case_addresses_work(deployment: Deployment, written: Path) -> None:
    def lower(content: Any) -> None:
        for entry in content["contracts"].values():
            entry["address"] = entry["address"].lower()

    change(written, lower)
    assert Deployment.read(CHAIN, written) == deployment


def test_wrong_checksum_is_refused_by_field_name(written: Path) -> None:
    def mistype(content: Any) -> None:
        entry = content["contracts"]["Rounds"]
        at = next(i for i, c in enumerate(entry["address"]) if i > 1 and c.isalpha())
        entry["address"] = entry["address"][:at] + entry["address"][at].swapcase() + entry["address"][at + 1 :]

    change(written, mistype)
    with pytest.raises(DeploymentMissing, match=r"contracts\.Rounds\.address: wrong checksum"):
        Deployment.read(CHAIN, written)


@pytest.mark.parametrize(
    ("field", "edit"),
    [
        ("version", lambda c: c.update(version=9)),
        ("chainId", lambda c: c.update(chainId="31337")),
        ("block", lambda c: c.pop("block")),
        (r"contracts\.Vault", lambda c: c["contracts"].pop("Vault")),
        (r"contracts\.Vault\.address", lambda c: c["contracts"]["Vault"].update(address="0x12")),
        (r"contracts\.Vault\.address", lambda c: c["contracts"].update(Vault=7)),
    ],
)
def test_damaged_file_is_refused_by_field_name(written: Path, field: str, edit: Callable[[Any], None]) -> None:
    change(written, edit)
    with pytest.raises(DeploymentMissing, match=f"{field}:"):
        Deployment.read(CHAIN, written)


def test_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"{CHAIN}.json").write_text("{")
    with pytest.raises(DeploymentMissing, match="is not JSON"):
        Deployment.read(CHAIN, tmp_path)


def test_second_deployment_on_one_chain_gets_its_own_addresses(devnet: Devnet, deployment: Deployment) -> None:
    second = deploy(devnet.rpc(), devnet.account("second deployer"))
    second.verify(devnet.rpc())
    assert not set(second.core) & set(deployment.core)
    assert second.token is None


OFFLINE = """
import socket, sys

def refuse(*args, **kwargs):
    raise AssertionError("the network was touched")

socket.socket.connect = refuse
socket.create_connection = refuse
socket.getaddrinfo = refuse
import kizuna, kizuna.chain
from kizuna.chain import abi, deployment
addresses = {name: deployment.create_address("0x" + "11" * 20, i) for i, name in enumerate(abi.CORE)}
for name in (*abi.CORE, abi.TOKEN):
    assert deployment._init_code(name, addresses)
for module in ("torch", "solcx", "toploc", "kizuna.store", "brownie"):
    assert module not in sys.modules, module
"""


def test_import_touches_neither_network_nor_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
