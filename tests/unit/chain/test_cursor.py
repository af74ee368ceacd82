"""No event is lost, doubled or kept from a fork that is gone, whatever a node limits, cuts or has forgotten.

Nodes differ in their limits (INFURA/infura#237), may leave out logs without a word (smartbch/smartbch#54), and forget
old state (raiden-network/raiden#3566).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from support.proxy import Forward, Proxy, Raw, Reply, Request, Rule, error, lagging

from kizuna.chain import Deployment, Devnet, EventLog, Journal, Rpc, RpcRefused
from kizuna.chain.abi import CORE, artifact
from kizuna.chain.deployment import Deployed
from kizuna.chain.events import Event, PhaseChanged, Rewound, known
from kizuna.chain.structs import parse_address, snake
from kizuna.errors import ConfigError, RpcStale
from kizuna.types import Phase

# LOG3 of its calldata: three topics, then data. Stands where Rounds would.
EMITTER_CODE = "0x60603603806060600037604035602035600035836000a300"
ROUNDS = "0x" + "e3" * 20


@pytest.fixture
def chain() -> Iterator[Devnet]:
    with Devnet(mining="manual") as running:
        running.control("anvil_setCode", ROUNDS, EMITTER_CODE)
        yield running


@pytest.fixture
def where(chain: Devnet) -> Deployment:
    """A deployment whose Rounds is the emitter."""
    rpc = chain.rpc()
    first = rpc.block(0)
    names = {name: Deployed(parse_address(f"0x{i:040x}"), "", "") for i, name in enumerate(CORE, 1)}
    names["Rounds"] = Deployed(parse_address(ROUNDS), "", "")
    return Deployment(rpc.chain_id(), 0, first.hash, names)


class Emitter:
    """Sends PhaseChanged(task 1, round n) events from an unlocked account."""

    def __init__(self, chain: Devnet) -> None:
        self.chain, self.round = chain, count(1)
        self.sender = chain.deployer().address
        self.topic = artifact("Rounds").topic("PhaseChanged").hex()

    def __call__(self, events: int = 1, *, mine: int = 1) -> None:
        for _ in range(events):
            words = f"{1:064x}{next(self.round):064x}{int(Phase.OPEN):064x}{99:064x}"
            message = {"from": self.sender, "to": ROUNDS, "data": f"0x{self.topic}{words}", "gas": "0x20000"}
            self.chain.control("eth_sendTransaction", message)
        self.chain.mine(mine)


@pytest.fixture
def emit(chain: Devnet) -> Emitter:
    return Emitter(chain)


def rounds(events: list[Event]) -> list[int]:
    return [event.round for event in events if isinstance(event, PhaseChanged)]


def quick(url: str) -> Rpc:
    return Rpc(url, sleep=lambda seconds: None)


def reader(url: str, where: Deployment, path: Path | str = ":memory:", *, span: int = 2_000) -> EventLog:
    return EventLog(quick(url), where, Journal(path), span=span)


def test_events_arrive_once_in_chain_order(chain: Devnet, where: Deployment, emit: Emitter) -> None:
    log = reader(chain.url, where)
    emit(3)
    assert rounds(log.poll()) == [1, 2, 3]
    assert log.poll() == []
    emit(2)
    (first, second) = log.poll()
    assert first.at < second.at
    assert rounds([first, second]) == [4, 5]


def test_restart_replays_everything_then_goes_on(
    chain: Devnet, where: Deployment, emit: Emitter, tmp_path: Path
) -> None:
    emit(2)
    log = reader(chain.url, where, tmp_path / "agent.sqlite")
    first = log.poll()
    emit()
    again = reader(chain.url, where, tmp_path / "agent.sqlite")
    events = again.poll()
    assert events[:2] == first
    assert rounds(events) == [1, 2, 3]


def test_reorganised_events_are_taken_back(chain: Devnet, where: Deployment, emit: Emitter) -> None:
    log = reader(chain.url, where)
    emit(2)
    log.poll()
    before = chain.snapshot()
    emit(2)
    assert rounds(log.poll()) == [3, 4]
    chain.revert(before)
    emit(1)
    emit(1, mine=3)
    events = log.poll()
    assert isinstance(events[0], Rewound)
    assert rounds(events) == [5, 6]
    assert rounds(reader(chain.url, where).poll()) == [1, 2, 5, 6]


def test_restart_after_a_reorganisation_replays_only_what_happened(
    chain: Devnet, where: Deployment, emit: Emitter, tmp_path: Path
) -> None:
    emit()
    before = chain.snapshot()
    emit()
    reader(chain.url, where, tmp_path / "agent.sqlite").poll()
    chain.revert(before)
    emit(mine=3)
    assert rounds(reader(chain.url, where, tmp_path / "agent.sqlite").poll()) == [1, 3]


def test_node_that_lags_on_every_second_call_loses_no_event(chain: Devnet, where: Deployment, emit: Emitter) -> None:
    seen: list[Event] = []
    with Proxy(chain.url) as proxy:
        proxy.on("*", lagging())
        log = reader(proxy.url, where)
        for blocks in range(1, 16):
            emit(1, mine=1 + blocks % 3)
            try:
                seen += log.poll()
            except (RpcStale, RpcRefused):
                continue  # As an agent does: status says stale, the next step tries again.
        proxy.clear()
        seen += log.poll()
    assert rounds(seen) == list(range(1, 16))
    assert rounds(reader(chain.url, where).poll()) == rounds(seen)


DIALECTS: dict[str, Rule] = {
    "limit exceeded": error(-32005, "query returned more than 10000 results"),
    "invalid params": error(-32602, "block range is too wide"),
    "plain text": lambda request, forward: Raw(400, b"Requests of more than 1000 blocks are not for free users"),
    "useless suggestion": error(-32602, "try with this block range [0x0, 0x7d0]"),
}


def limited(limit: int, refusal: Rule) -> Rule:
    def rule(request: Request, forward: Forward) -> Reply:
        query = request["params"][0]
        if "fromBlock" in query and int(query["toBlock"], 16) - int(query["fromBlock"], 16) >= limit:
            return refusal(request, forward)
        return forward(request)

    return rule


@pytest.mark.parametrize("dialect", DIALECTS)
def test_range_limits_are_found_by_halving(chain: Devnet, where: Deployment, emit: Emitter, dialect: str) -> None:
    for _ in range(10):
        emit(2, mine=40)
    with Proxy(chain.url) as proxy:
        proxy.on("eth_getLogs", limited(30, DIALECTS[dialect]))
        assert rounds(reader(proxy.url, where).poll()) == list(range(1, 21))


def test_node_that_refuses_every_range_is_read_block_by_block(chain: Devnet, where: Deployment, emit: Emitter) -> None:
    emit(3, mine=100)
    with Proxy(chain.url) as proxy:
        proxy.on("eth_getLogs", limited(1, DIALECTS["limit exceeded"]))
        assert rounds(reader(proxy.url, where).poll()) == [1, 2, 3]


def test_node_that_refuses_even_one_block_ends_in_an_error(chain: Devnet, where: Deployment, emit: Emitter) -> None:
    emit(1, mine=200)
    with Proxy(chain.url) as proxy:
        proxy.on("eth_getLogs", DIALECTS["limit exceeded"])
        with pytest.raises(RpcRefused):
            reader(proxy.url, where).poll()
        assert proxy.count("eth_getLogs") < 50


@pytest.mark.parametrize("kept", [0, 3])
def test_silently_cut_list_is_noticed(chain: Devnet, where: Deployment, emit: Emitter, kept: int) -> None:
    for _ in range(5):
        emit(2, mine=60)

    def cut(request: Request, forward: Forward) -> Reply:
        answer = forward(request)
        return {**answer, "result": answer["result"][:kept]}

    with Proxy(chain.url) as proxy:
        proxy.on("eth_getLogs", cut, times=1)
        assert rounds(reader(proxy.url, where).poll()) == list(range(1, 11))


def test_node_that_always_caps_its_lists_is_read_in_pieces(chain: Devnet, where: Deployment, emit: Emitter) -> None:
    for _ in range(6):
        emit(2, mine=60)

    def cap(request: Request, forward: Forward) -> Reply:
        answer = forward(request)
        return {**answer, "result": answer["result"][:4]}

    with Proxy(chain.url) as proxy:
        proxy.on("eth_getLogs", cap)
        assert rounds(reader(proxy.url, where).poll()) == list(range(1, 13))


def test_old_state_is_never_asked_for(chain: Devnet, where: Deployment, emit: Emitter) -> None:
    emit(1, mine=300)
    refuse = error(-32000, "missing trie node")
    with Proxy(chain.url) as proxy:
        for method in ("eth_call", "eth_getStorageAt", "eth_getCode", "eth_getBalance", "eth_getFilterChanges"):
            proxy.on(method, refuse)
        assert rounds(reader(proxy.url, where).poll()) == [1]


def test_chain_restarted_from_a_dumped_state_loses_no_event(tmp_path: Path) -> None:
    with Devnet(mining="manual", dump_state=tmp_path / "state.json") as first:
        first.control("anvil_setCode", ROUNDS, EMITTER_CODE)
        rpc = first.rpc()
        names = {name: Deployed(parse_address(f"0x{i:040x}"), "", "") for i, name in enumerate(CORE, 1)}
        names["Rounds"] = Deployed(parse_address(ROUNDS), "", "")
        where = Deployment(rpc.chain_id(), 0, rpc.block(0).hash, names)
        emit = Emitter(first)
        emit(2)
        seen = reader(first.url, where, tmp_path / "agent.sqlite").poll()
        emit(2)
    with Devnet(mining="manual", load_state=tmp_path / "state.json") as second:
        emit.chain = second
        emit(1)
        events = reader(second.url, where, tmp_path / "agent.sqlite").poll()
        assert events[:2] == seen
        assert rounds(events) == [1, 2, 3, 4, 5]


def test_other_chain_with_the_same_id_is_named(chain: Devnet, where: Deployment, emit: Emitter) -> None:
    with Devnet(mining="manual", extra=("--timestamp", "1700000000")) as fresh:
        with pytest.raises(RpcStale, match="another chain"):
            reader(fresh.url, where).poll()
        log = reader(chain.url, where)
        emit()
        log.poll()
        fresh.mine(5)
        moved = EventLog(quick(fresh.url), where, log._journal)
        with pytest.raises(RpcStale, match="another chain"):
            moved.poll()


def test_journal_of_another_deployment_is_refused(chain: Devnet, where: Deployment, tmp_path: Path) -> None:
    reader(chain.url, where, tmp_path / "agent.sqlite")
    changed = {**where.contracts, "Vault": Deployed(parse_address("0x" + "99" * 20), "", "")}
    with pytest.raises(ConfigError, match="another deployment"):
        reader(chain.url, Deployment(where.chain_id, 0, where.block_hash, changed), tmp_path / "agent.sqlite")


def test_every_contract_event_has_a_value_with_its_parameters() -> None:
    for name in CORE:
        for topic, event in artifact(name).events.items():
            _, kind = known()[topic]
            expected = ["at", *("from_" if n == "from" else snake(n) for n in event.names)]
            assert list(kind.__dataclass_fields__) == expected, event.name
