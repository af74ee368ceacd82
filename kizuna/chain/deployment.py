"""Where the contracts are: deployments/<chainId>.json, checked against the chain before anything is signed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import rlp  # type: ignore[import-untyped]
from eth_abi.abi import encode as abi_encode
from eth_account.signers.base import BaseAccount

from kizuna.chain import fees
from kizuna.chain.abi import CORE, DRAND, TOKEN, artifact
from kizuna.chain.drand import Network
from kizuna.chain.intents import Call
from kizuna.chain.journal import Journal
from kizuna.chain.outbox import Outbox
from kizuna.chain.rpc import Block, Rpc
from kizuna.chain.structs import parse_address
from kizuna.errors import ChainError, ConfigError, DeploymentMissing, Unfunded
from kizuna.hashing import keccak
from kizuna.types import Address, Digest

FOLDER = Path("deployments")
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Deployed:
    """One contract: its address and the keccaks (0x-hex) of its runtime code and of its ABI."""

    address: Address
    code_hash: str
    abi_hash: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """The contracts on one chain. `block` is the first one that holds any of them."""

    chain_id: int
    block: int
    block_hash: Digest
    contracts: Mapping[str, Deployed]

    @property
    def vault(self) -> Address:
        return self.contracts["Vault"].address

    @property
    def tasks(self) -> Address:
        return self.contracts["Tasks"].address

    @property
    def slots(self) -> Address:
        return self.contracts["Slots"].address

    @property
    def rounds(self) -> Address:
        return self.contracts["Rounds"].address

    @property
    def court(self) -> Address:
        return self.contracts["Court"].address

    @property
    def beacon(self) -> Address:
        return self.contracts["BlockhashBeacon"].address

    @property
    def beacons(self) -> dict[str, Address]:
        """The beacons that a task can name."""
        drand = self.contracts.get(DRAND)
        return {"blockhash": self.beacon} | ({} if drand is None else {"drand": drand.address})

    @property
    def token(self) -> Address | None:
        entry = self.contracts.get(TOKEN)
        return None if entry is None else entry.address

    @property
    def core(self) -> tuple[Address, ...]:
        """The contracts that emit events."""
        return tuple(self.contracts[name].address for name in CORE[:5])

    @classmethod
    def read(cls, chain_id: int, folder: Path = FOLDER) -> Deployment:
        """The file of a chain. Raises DeploymentMissing, naming the field that is wrong."""
        path = folder / f"{chain_id}.json"
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            raise DeploymentMissing(
                f"{path} is missing: run `kizuna deploy`, or copy the network's file there"
            ) from None
        except OSError as error:
            raise DeploymentMissing(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError) as error:
            raise DeploymentMissing(f"{path} is not JSON: {error}") from None
        found = _parse(path, content)
        if found.chain_id != chain_id:
            raise DeploymentMissing(f"{path}: chainId: {found.chain_id} in the file of chain {chain_id}")
        return found

    def write(self, folder: Path = FOLDER) -> Path:
        """Writes the file, whole or not at all. Raises ConfigError."""
        path = folder / f"{self.chain_id}.json"
        part = path.with_suffix(".part")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._content(), indent=2) + "\n")
            os.replace(part, path)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
        return path

    def verify(self, rpc: Rpc) -> None:
        """Raises DeploymentMissing, on one line, unless the chain behind `rpc` holds exactly these contracts."""
        found = rpc.chain_id()
        if found != self.chain_id:
            raise DeploymentMissing(f"the RPC {rpc.url} is chain {found}, the deployment is of chain {self.chain_id}")
        head = rpc.head()
        block = rpc.find_block(self.block)
        if block is None or block.hash != self.block_hash:
            raise DeploymentMissing(
                f"the deployment is of another chain with the same id {self.chain_id} (block {self.block} differs):"
                " deploy again, and move old state away"
            )
        for name, entry in self.contracts.items():
            self._verify_code(rpc, head, name, entry)

    def _verify_code(self, rpc: Rpc, head: Block, name: str, entry: Deployed) -> None:
        code = rpc.code(entry.address, at=head)
        if not code:
            raise DeploymentMissing(f"contracts.{name}.address: there is no code at {entry.address}: deploy again")
        if _keccak_hex(code) != entry.code_hash:
            raise DeploymentMissing(f"contracts.{name}.codeHash: other code at {entry.address}: deploy again")
        if artifact(name).abi_hash != entry.abi_hash:
            raise DeploymentMissing(
                f"contracts.{name}.abiHash: this installation speaks another version: upgrade or redeploy"
            )

    def _content(self) -> dict[str, Any]:
        contracts = {
            name: {"address": entry.address, "codeHash": entry.code_hash, "abiHash": entry.abi_hash}
            for name, entry in self.contracts.items()
        }
        block = {"number": self.block, "hash": "0x" + self.block_hash.hex()}
        return {"version": _VERSION, "chainId": self.chain_id, "block": block, "contracts": contracts}


@dataclass(frozen=True, slots=True)
class Creation:
    """A contract that is to be: where it will land, and the code of the transaction that creates it."""

    address: Address
    code: bytes


def deploy(rpc: Rpc, account: BaseAccount, *, token: bool = False) -> Deployment:
    """Deploys the contracts (and the test token) from the committed bytecode; needs no compiler.

    Raises Unfunded, ChainError if a contract did not land where it was expected.
    """
    head = rpc.head()
    planned = creations(account.address, rpc.nonce(account.address, at=head), token=token)
    cost = sum(creation_gas(creation.code) for creation in planned.values()) * fees.market(rpc, head).max_fee
    if (held := rpc.balance(account.address, at=head)) < cost:
        raise Unfunded(
            f"{account.address} holds {held} wei and deploying may cost {cost} wei: send it {cost - held} wei"
        )
    outbox = Outbox(Journal(":memory:"), rpc, account)
    try:
        for name, creation in planned.items():
            outbox.submit(name, Call(None, creation.code), gas=creation_gas(creation.code))
        receipts = {name: outbox.wait(name) for name in planned}
    finally:
        outbox.close()
    for name, receipt in receipts.items():
        require_landed(name, planned[name], receipt.contract)
    return describe(rpc, planned, first_block=min(receipt.block for receipt in receipts.values()))


def creations(sender: str, nonce: int, *, token: bool = False) -> dict[str, Creation]:
    """What `sender` creates from `nonce` on, in this order.

    The contracts know each other from birth: their addresses follow from the nonce.
    """
    names = [*CORE, TOKEN] if token else list(CORE)
    addresses = {name: create_address(sender, nonce + i) for i, name in enumerate(names)}
    return {name: Creation(address, _init_code(name, addresses)) for name, address in addresses.items()}


def require_landed(name: str, creation: Creation, address: str | None) -> None:
    """Raises ChainError unless the contract was created where the others expect it."""
    if (address or "").lower() != creation.address.lower():
        raise ChainError(f"{name} landed at {address} instead of {creation.address}: is the key in use elsewhere?")


def describe(rpc: Rpc, created: Mapping[str, Creation], *, first_block: int) -> Deployment:
    """The deployment of contracts that are on the chain; `first_block` holds the first of them."""
    head = rpc.head()
    contracts = {
        name: Deployed(creation.address, _keccak_hex(rpc.code(creation.address, at=head)), artifact(name).abi_hash)
        for name, creation in created.items()
    }
    return Deployment(rpc.chain_id(), first_block, rpc.block(first_block).hash, contracts)


def deploy_drand(rpc: Rpc, account: BaseAccount, deployment: Deployment, network: Network) -> Deployment:
    """The deployment with a beacon of a drand network, new or in place of the one it has. Raises as `deploy`."""
    compiled = artifact(DRAND)
    code = compiled.bytecode + abi_encode([kind for _, kind in compiled.constructor], network.arguments)
    outbox = Outbox(Journal(":memory:"), rpc, account)
    try:
        receipt = outbox.send(DRAND, Call(None, code), gas=creation_gas(code))
    finally:
        outbox.close()
    if receipt.contract is None:
        raise ChainError(f"{DRAND} was not created: are the parameters those of a network?")
    address = parse_address(receipt.contract)
    made = Deployed(address, _keccak_hex(rpc.code(address, at=rpc.head())), compiled.abi_hash)
    return replace(deployment, contracts={**deployment.contracts, DRAND: made})


def create_address(sender: str, nonce: int) -> Address:
    """The address of the contract that `sender` creates with `nonce`."""
    encoded: bytes = rlp.encode([bytes.fromhex(sender[2:]), nonce])
    return parse_address("0x" + keccak(encoded)[12:].hex())


def constructor_arguments(name: str, addresses: Mapping[str, Address]) -> bytes:
    """What follows the bytecode in the transaction that creates a contract."""
    # The only constructor there is takes the five addresses in the order of their creation.
    types = [kind for _, kind in artifact(name).constructor]
    return abi_encode(types, [[addresses[known] for known in CORE[:5]]] * len(types)) if types else b""


def _init_code(name: str, addresses: Mapping[str, Address]) -> bytes:
    compiled = artifact(name)
    if not compiled.bytecode:
        raise DeploymentMissing(f"the compiled contract {name} has no bytecode: compile the contracts")
    return compiled.bytecode + constructor_arguments(name, addresses)


def creation_gas(code: bytes) -> int:
    """An upper bound: base cost, calldata, storing the code, and 500k for what the constructor does."""
    return 53_000 + (16 + 1 + 200) * len(code) + 500_000


def _keccak_hex(data: bytes) -> str:
    return "0x" + keccak(data).hex()


def _parse(path: Path, content: Any) -> Deployment:
    at = "version"
    try:
        if content["version"] != _VERSION:
            raise ValueError(f"{content['version']} is not {_VERSION}")
        at = "chainId"
        chain_id = _natural(content["chainId"])
        at = "block"
        block, block_hash = _natural(content["block"]["number"]), bytes.fromhex(content["block"]["hash"][2:])
        if len(block_hash) != 32:
            raise ValueError("its hash has not 32 bytes")
        contracts = {}
        for name in (*CORE, *(name for name in (TOKEN, DRAND) if name in content["contracts"])):
            at = f"contracts.{name}"
            entry = content["contracts"][name]
            at = f"contracts.{name}.address"
            address = parse_address(entry["address"])
            at = f"contracts.{name}"
            contracts[name] = Deployed(address, str(entry["codeHash"]).lower(), str(entry["abiHash"]).lower())
    except (KeyError, TypeError, AttributeError) as error:
        raise DeploymentMissing(f"{path}: {at}: missing or of the wrong kind ({error})") from None
    except ValueError as error:
        raise DeploymentMissing(f"{path}: {at}: {error}") from None
    return Deployment(chain_id, block, Digest(block_hash), contracts)


def _natural(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise ValueError(f"{value!r} is not a natural number of 63 bits")
    return value
