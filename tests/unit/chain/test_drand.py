"""Signatures from drand's HTTP API: whatever an endpoint serves, only what the check accepts is returned."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.drand import Answer, Endpoint, Signer, relay

from kizuna.chain.drand import EVMNET, DrandClient, DrandUnavailable
from kizuna.errors import ConfigError, Reverted, RpcUnavailable

HASH = bytes(range(32))
ROUND = 77
SIGNER = Signer(secret=5)
GOOD = SIGNER.sign(ROUND)


def is_good(round: int, signature: bytes) -> None:
    if (round, signature) != (ROUND, GOOD):
        raise Reverted("DrandBeacon_BadSignature", (round,))


def serving(status: int, body: bytes) -> Callable[[str], Answer]:
    return lambda path: (status, body)


def beacon(**changes: object) -> bytes:
    return json.dumps(SIGNER.beacon(ROUND) | changes).encode()


def fetch(*urls: str, check: Callable[[int, bytes], object] = is_good, timeout_s: float = 5.0) -> bytes:
    with DrandClient(urls, HASH, timeout_s=timeout_s) as client:
        return client.fetch(ROUND, check)


def test_evmnet_is_the_network_of_its_chain_hash() -> None:
    assert EVMNET.chain_hash.hex() == "04f1e9062b8a81f848fded9c12306733282b2727ecced50032187751166ec8c3"


def test_a_round_is_asked_for_by_chain_hash_and_number() -> None:
    with Endpoint(relay(SIGNER, HASH)) as endpoint:
        assert fetch(endpoint.url + "/") == GOOD
        assert endpoint.asked == [f"/{HASH.hex()}/public/{ROUND}"]


WRONG: dict[str, tuple[int, bytes]] = {
    "HTTP 404": (404, beacon()),
    "HTTP 425": (425, beacon()),
    "HTTP 302": (302, beacon()),
    "not JSON": (200, b"<html>"),
    "not the round": (200, beacon(round=ROUND + 1)),
    "not 64 bytes": (200, beacon(signature="00" * 63)),
    "not hexadecimal": (200, beacon(signature="zz" * 64)),
    "above 4096 bytes": (200, beacon(filler="x" * 5_000)),
    "BadSignature": (200, beacon(signature=SIGNER.sign(ROUND + 1).hex())),
}


@pytest.mark.parametrize("reason", WRONG)
def test_an_endpoint_that_serves_anything_else_is_passed_over_and_named(reason: str) -> None:
    with Endpoint(serving(*WRONG[reason])) as liar, Endpoint(relay(SIGNER, HASH)) as honest:
        assert fetch(liar.url, honest.url) == GOOD
        with pytest.raises(DrandUnavailable, match=reason) as caught:
            fetch(liar.url)
        assert liar.url in str(caught.value)


@pytest.mark.parametrize("body", [b"[]", b"7", b"{}", b"[" * 4_000, beacon(signature=None), beacon(signature=7)])
def test_answers_of_another_shape_are_refused(body: bytes) -> None:
    with Endpoint(serving(200, body)) as endpoint, pytest.raises(DrandUnavailable):
        fetch(endpoint.url)


def test_a_dead_endpoint_costs_nothing_but_its_turn() -> None:
    with Endpoint(relay(SIGNER, HASH)) as honest:
        assert fetch("http://127.0.0.1:9", honest.url) == GOOD


def test_an_endpoint_that_drips_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        with pytest.raises(DrandUnavailable, match=r"no whole answer in 0\.3 s"):
            fetch(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.3)


def drip(server: socket.socket) -> None:
    """A byte every tenth of a second, until the other side hangs up."""
    connection, _ = server.accept()
    with connection:
        connection.recv(4_096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        pause = threading.Event()
        try:
            while not pause.wait(0.1):
                connection.sendall(b" ")
        except OSError:
            return


def test_a_check_that_cannot_be_made_is_no_fault_of_the_endpoint() -> None:
    def unreachable(round: int, signature: bytes) -> Any:
        raise RpcUnavailable("no answer")

    with Endpoint(relay(SIGNER, HASH)) as endpoint, pytest.raises(RpcUnavailable):
        fetch(endpoint.url, check=unreachable)


def test_a_client_without_endpoints_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        DrandClient((), HASH)
