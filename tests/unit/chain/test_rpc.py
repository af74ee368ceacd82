"""Deadlines, retries, and nodes that stand still, run backwards or change their chain (ethereum/go-ethereum#27353)."""

from __future__ import annotations

import socket
import threading

import pytest
from support.proxy import DROP, Forward, Proxy, Raw, Reply, Request, error, result

from kizuna.chain import Devnet, Rpc, RpcRefused
from kizuna.errors import RpcStale, RpcUnavailable


class Clock:
    """Seconds that pass only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def rpc_of(url: str | list[str], clock: Clock, **options: float) -> Rpc:
    return Rpc(url, clock=clock, sleep=clock.sleep, **options)  # type: ignore[arg-type]


def test_lost_answers_are_asked_for_again_ever_slower(devnet_only: Devnet) -> None:
    clock = Clock()
    with Proxy(devnet_only.url) as proxy:
        proxy.on("eth_chainId", lambda request, forward: DROP, times=2)
        assert rpc_of(proxy.url, clock).chain_id() == 31337
    assert clock.waits == [0.25, 0.5]


def test_retries_are_bounded(devnet_only: Devnet) -> None:
    clock = Clock()
    with Proxy(devnet_only.url) as proxy:
        proxy.on("eth_chainId", lambda request, forward: Raw(503, b"busy"))
        with pytest.raises(RpcUnavailable, match="503"):
            rpc_of(proxy.url, clock).chain_id()
        assert proxy.count("eth_chainId") == 4


def test_too_many_requests_never_loops_hot(devnet_only: Devnet) -> None:
    clock = Clock()
    with Proxy(devnet_only.url) as proxy:
        body = b'{"jsonrpc":"2.0","id":1,"error":{"code":429,"message":"slow down","data":{"backoff_seconds":0}}}'
        proxy.on("eth_chainId", lambda request, forward: Raw(429, body))
        with pytest.raises(RpcUnavailable):
            rpc_of(proxy.url, clock).chain_id()
    assert min(clock.waits) >= 0.25


def test_refusals_are_not_repeated(devnet_only: Devnet) -> None:
    with Proxy(devnet_only.url) as proxy:
        proxy.on("eth_gasPrice", error(-32601, "no such method"))
        with pytest.raises(RpcRefused, match="no such method"):
            Rpc(proxy.url).request("eth_gasPrice")
        assert proxy.count("eth_gasPrice") == 1


def test_refused_connection_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(RpcUnavailable, match="no answer to eth_chainId after 4 tries") as caught:
        rpc_of(f"http://127.0.0.1:{port}", Clock()).chain_id()
    assert "\n" not in str(caught.value)


def test_dripping_answer_ends_at_the_deadline() -> None:
    """A node that sends a byte whenever the reader is about to give up."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b"1\r\n \r\n")
                    except OSError:
                        return

        threading.Thread(target=drip, daemon=True).start()
        with pytest.raises(RpcUnavailable, match="no whole answer"):
            Rpc(f"http://127.0.0.1:{server.getsockname()[1]}", attempts=1, timeout_s=0.2).chain_id()
        stop.set()


def test_answers_that_are_no_json_rpc_are_unavailability(devnet_only: Devnet) -> None:
    with Proxy(devnet_only.url) as proxy:
        for body in (b"<html>", b"[]", b'{"id": 1}', b'{"jsonrpc": "2.0", "id": "no", "result": "0x1"}'):
            proxy.on("eth_chainId", lambda request, forward, body=body: Raw(200, body))  # type: ignore[misc]
            with pytest.raises(RpcUnavailable):
                rpc_of(proxy.url, Clock()).chain_id()


def test_malformed_block_is_unavailability(devnet_only: Devnet) -> None:
    with Proxy(devnet_only.url) as proxy:
        proxy.on("eth_getBlockByNumber", result({"number": "latest"}))
        with pytest.raises(RpcUnavailable, match="malformed"):
            rpc_of(proxy.url, Clock()).head()


def test_head_never_runs_backwards(devnet_only: Devnet) -> None:
    devnet_only.mine(5)

    def behind(request: Request, forward: Forward) -> Reply:
        if request["params"][0] != "latest":
            return forward(request)
        top = int(forward({**request, "method": "eth_blockNumber", "params": []})["result"], 16)
        return forward({**request, "params": [hex(top - 3), False]})

    with Proxy(devnet_only.url) as proxy:
        rpc = rpc_of(proxy.url, Clock())
        top = rpc.head().number
        proxy.on("eth_getBlockByNumber", behind, times=2)
        assert rpc.head().number == top
        proxy.on("eth_getBlockByNumber", behind)
        with pytest.raises(RpcStale, match="seen before"):
            rpc.head()


def test_reads_never_ask_for_the_latest_block(devnet_only: Devnet) -> None:
    with Proxy(devnet_only.url) as proxy:
        rpc = Rpc(proxy.url)
        at = rpc.head()
        rpc.call("0x" + "11" * 20, b"", at=at)
        rpc.balance("0x" + "11" * 20, at=at)
        rpc.nonce("0x" + "11" * 20, at=at)
        asked = [r["params"][-1] for r in proxy.seen if r["method"] not in ("eth_getBlockByNumber", "eth_chainId")]
    assert asked == [{"blockHash": "0x" + at.hash.hex()}] * 3


def test_node_that_does_not_know_the_block_is_given_time(devnet_only: Devnet) -> None:
    clock = Clock()
    with Proxy(devnet_only.url) as proxy:
        rpc = rpc_of(proxy.url, clock)
        at = rpc.head()
        proxy.on("eth_getBlockByHash", result(None), times=2)
        proxy.on("eth_call", error(-32000, "header not found"), times=2)
        assert rpc.call("0x" + "11" * 20, b"", at=at) == b""
        proxy.on("eth_getBlockByHash", result(None))
        proxy.on("eth_call", error(-32000, "header not found"))
        with pytest.raises(RpcStale, match="does not know block"):
            rpc.call("0x" + "11" * 20, b"", at=at)


def test_stuck_node_is_named_and_left_for_one_that_goes_on(
    devnet_only: Devnet, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    with Proxy(devnet_only.url) as stuck:
        rpc = rpc_of([stuck.url, devnet_only.url], clock, stale_after_s=5.0)
        frozen = rpc.head().number
        stuck.on("eth_getBlockByNumber", lambda request, forward: forward({**request, "params": [hex(frozen), False]}))
        devnet_only.mine(3)
        assert rpc.head().number == frozen
        clock.now += 6.0
        assert rpc.head().number == frozen + 3
        assert rpc.url == devnet_only.url
        assert stuck.url in caplog.text


def test_single_stuck_node_is_reported_as_stale_not_idle(devnet_only: Devnet) -> None:
    clock = Clock()
    rpc = rpc_of(devnet_only.url, clock, stale_after_s=5.0)
    assert not rpc.health().stale
    clock.now += 6.0
    health = rpc.health()
    assert health.stale
    assert "has stood at block" in health.reason


def test_dead_node_is_left_for_the_next(devnet_only: Devnet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
    rpc = rpc_of([dead, devnet_only.url], Clock())
    assert rpc.chain_id() == 31337
    assert rpc.url == devnet_only.url


def test_node_that_switches_chain_is_noticed(devnet_only: Devnet) -> None:
    clock = Clock()
    with Devnet(mining="manual", chain_id=5) as other, Proxy(devnet_only.url) as proxy:
        rpc = rpc_of(proxy.url, clock)
        rpc.head()
        proxy.upstream = other.url
        clock.now += 20.0
        with pytest.raises(RpcStale, match="chain 5, expected chain 31337"):
            rpc.head()
