"""The compiled contracts that ship with Kizuna, and the ABI codec over them.

Artifacts are committed in `kizuna/chain/abi/`, so neither importing nor deploying needs a compiler
or the network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode

from kizuna.errors import DeploymentMissing
from kizuna.hashing import keccak

CORE = ("Vault", "Tasks", "Slots", "Rounds", "Court", "BlockhashBeacon")
"""The contracts of a deployment in the order they are created; addresses depend on it."""

TOKEN = "TestToken"
DRAND = "DrandBeacon"
_FOLDER = Path(__file__).parent / "abi"


@dataclass(frozen=True, slots=True)
class Function:
    """One contract function: encodes its calls and decodes its answers."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, *args: object) -> bytes:
        """Calldata. Raises eth_abi's EncodingError (a ValueError) if an argument does not fit its type."""
        return self.selector + abi_encode(self.inputs, args)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """Return values. Raises eth_abi's DecodingError if `data` is not an answer of this function."""
        return tuple(abi_decode(self.outputs, data))


@dataclass(frozen=True, slots=True)
class EventType:
    """One event: names and types of its parameters, in order; the first indexed ones are topics."""

    name: str
    topic: bytes
    names: tuple[str, ...]
    types: tuple[str, ...]
    indexed: tuple[bool, ...]

    def decode(self, topics: tuple[bytes, ...], data: bytes) -> dict[str, Any]:
        """Parameters by Solidity name. Raises ValueError if topics or data do not fit."""
        if len(topics) != 1 + sum(self.indexed):
            raise ValueError(f"{self.name} has {1 + sum(self.indexed)} topics, not {len(topics)}")
        loose = abi_decode([t for t, i in zip(self.types, self.indexed, strict=True) if not i], data)
        words, rest = iter(topics[1:]), iter(loose)
        values: dict[str, Any] = {}
        for name, kind, indexed in zip(self.names, self.types, self.indexed, strict=True):
            values[name] = abi_decode([kind], next(words))[0] if indexed else next(rest)
        return values


@dataclass(frozen=True, slots=True)
class ErrorType:
    """One custom error."""

    name: str
    selector: bytes
    names: tuple[str, ...]
    types: tuple[str, ...]


@dataclass(frozen=True)
class Artifact:
    """One compiled contract."""

    name: str
    abi: tuple[Mapping[str, Any], ...]
    bytecode: bytes

    @cached_property
    def abi_hash(self) -> str:
        """0x-hex keccak of the ABI as canonical JSON."""
        return "0x" + keccak(json.dumps(self.abi, sort_keys=True, separators=(",", ":")).encode()).hex()

    @cached_property
    def functions(self) -> dict[str, Function]:
        return {entry["name"]: _function(entry) for entry in self._of("function")}

    @cached_property
    def events(self) -> dict[bytes, EventType]:
        """By topic 0."""
        events = (_event(entry) for entry in self._of("event"))
        return {event.topic: event for event in events}

    @cached_property
    def errors(self) -> tuple[ErrorType, ...]:
        return tuple(error_type(entry["name"], entry["inputs"]) for entry in self._of("error"))

    @cached_property
    def constructor(self) -> tuple[tuple[str, str], ...]:
        """(name, type) of the constructor's parameters."""
        for entry in self._of("constructor"):
            return tuple((p["name"], type_of(p)) for p in entry["inputs"])
        return ()

    def topic(self, event: str) -> bytes:
        """Topic 0 of the event with this name. Raises KeyError if there is none."""
        for known in self.events.values():
            if known.name == event:
                return known.topic
        raise KeyError(event)

    def _of(self, kind: str) -> list[Mapping[str, Any]]:
        return [entry for entry in self.abi if entry["type"] == kind]


@cache
def artifact(name: str) -> Artifact:
    """The compiled contract `name`. Raises DeploymentMissing if this installation lacks it."""
    path = _FOLDER / f"{name}.json"
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise DeploymentMissing(
            f"the compiled contract {name} is not part of this installation: reinstall it"
        ) from None
    code = str(content.get("bytecode") or "0x").removeprefix("0x")
    return Artifact(name=content["contractName"], abi=tuple(content["abi"]), bytecode=bytes.fromhex(code))


def type_of(parameter: Mapping[str, Any]) -> str:
    """The canonical type of an ABI parameter, structs spelled out as tuples."""
    kind = str(parameter["type"])
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(type_of(part) for part in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def error_type(name: str, inputs: list[Mapping[str, Any]]) -> ErrorType:
    types = tuple(type_of(p) for p in inputs)
    return ErrorType(name, _selector(name, types), tuple(p["name"] for p in inputs), types)


def _function(entry: Mapping[str, Any]) -> Function:
    inputs = tuple(type_of(p) for p in entry["inputs"])
    outputs = tuple(type_of(p) for p in entry["outputs"])
    return Function(entry["name"], _selector(entry["name"], inputs), inputs, outputs)


def _event(entry: Mapping[str, Any]) -> EventType:
    types = tuple(type_of(p) for p in entry["inputs"])
    return EventType(
        name=entry["name"],
        topic=keccak(f"{entry['name']}({','.join(types)})".encode()),
        names=tuple(p["name"] for p in entry["inputs"]),
        types=types,
        indexed=tuple(bool(p["indexed"]) for p in entry["inputs"]),
    )


def _selector(name: str, types: tuple[str, ...]) -> bytes:
    return keccak(f"{name}({','.join(types)})".encode())[:4]
