"""drand networks of the scheme bls-bn254-unchained-on-g1: their parameters, and signatures by their HTTP API.

Nothing that an endpoint says is believed: `fetch` returns only what the caller's check, in the end the
contract's pairing, has accepted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from types import TracebackType

import httpx

from kizuna.errors import ChainError, ConfigError, Reverted
from kizuna.types import Digest

SIGNATURE_BYTES = 64
MAX_ANSWER_BYTES = 4_096
TIMEOUT_S = 5.0
"""For one endpoint, from the connection to the last byte."""

ENDPOINTS = (
    "https://api.drand.sh",
    "https://api2.drand.sh",
    "https://api3.drand.sh",
    "https://drand.cloudflare.com",
)
"""Public relays of the League of Entropy."""


class DrandUnavailable(ChainError):
    """No endpoint served the round with a signature that holds; says of each what it did."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network as its `/info` describes it: group key (128 bytes), Unix time of round 1, seconds between rounds."""

    key: bytes
    genesis: int
    period: int
    group_hash: bytes
    id: str

    @property
    def chain_hash(self) -> Digest:
        """The name of the network in URLs, which binds everything else."""
        head = self.period.to_bytes(4, "big") + self.genesis.to_bytes(8, "big")
        return Digest(sha256(head + self.key + self.group_hash + self.id.encode()).digest())

    @property
    def arguments(self) -> tuple[list[int], int, int, bytes, str]:
        """What DrandBeacon is made with."""
        words = [int.from_bytes(self.key[at : at + 32], "big") for at in range(0, 128, 32)]
        return words, self.genesis, self.period, self.group_hash, self.id


EVMNET = Network(
    key=bytes.fromhex(
        "07e1d1d335df83fa98462005690372c643340060d205306a9aa8106b6bd0b382"
        "0557ec32c2ad488e4d4f6008f89a346f18492092ccc0d594610de2732c8b808f"
        "0095685ae3a85ba243747b1b2f426049010f6b73a0cf1d389351d5aaaa1047f6"
        "297d3a4f9749b33eb2d904c9d9ebf17224150ddd7abd7567a9bec6c74480ee0b"
    ),
    genesis=1_727_521_075,
    period=3,
    group_hash=bytes.fromhex("cd7ad2f0e0cce5d8c288f2dd016ffe7bc8dc88dbb229b3da2b6ad736490dfed6"),
    id="evmnet",
)
"""The League of Entropy's network for EVM chains; chain hash 04f1e906...6ec8c3."""


class DrandClient:
    """Asks the endpoints of one network in turn. Use as a context manager, or `close` it."""

    def __init__(self, endpoints: Sequence[str], chain_hash: bytes, *, timeout_s: float = TIMEOUT_S) -> None:
        if not endpoints:
            raise ConfigError("name at least one drand endpoint")
        self.endpoints = tuple(url.rstrip("/") for url in endpoints)
        self._chain_hash, self._timeout_s = chain_hash, timeout_s
        self._http = httpx.Client(timeout=timeout_s, headers={"accept-encoding": "identity"}, trust_env=False)

    def fetch(self, round: int, check: Callable[[int, bytes], object]) -> bytes:
        """The first signature of `round` that `check` accepts; where it raises Reverted, the next endpoint is asked.

        Raises DrandUnavailable.
        """
        said = []
        for endpoint in self.endpoints:
            try:
                signature = self._ask(endpoint, round)
                check(round, signature)
                return signature
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                said.append(f"{endpoint}: {type(error).__name__}")
            except (ValueError, Reverted) as error:
                said.append(f"{endpoint}: {error}")
        raise DrandUnavailable(f"nobody serves round {round} of drand: {'; '.join(said)}")

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> DrandClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, endpoint: str, round: int) -> bytes:
        ends, body = monotonic() + self._timeout_s, bytearray()
        with self._http.stream("GET", f"{endpoint}/{self._chain_hash.hex()}/public/{round}") as answer:
            if answer.status_code != 200:
                raise ValueError(f"HTTP {answer.status_code}")
            for chunk in answer.iter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise ValueError(f"an answer above {MAX_ANSWER_BYTES} bytes")
                # The timeouts of httpx are between two bytes; a dripping endpoint would hold us for ever.
                if monotonic() > ends:
                    raise ValueError(f"no whole answer in {self._timeout_s:g} s")
        return _signature(bytes(body), round)


def _signature(body: bytes, round: int) -> bytes:
    """The signature in an answer. Raises ValueError unless it is a beacon of `round`."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(answer, dict) or answer.get("round") != round:
        raise ValueError("not the round that was asked for")
    text = answer.get("signature")
    if not isinstance(text, str) or len(text) != 2 * SIGNATURE_BYTES:
        raise ValueError(f"a signature that is not {SIGNATURE_BYTES} bytes")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError("a signature that is not hexadecimal") from None
