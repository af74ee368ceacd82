"""A trainer whose chain loses answers and transactions, refuses what was fine before, or is not what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from support.proxy import Forward, Proxy, Reply, Request, lose_answer, result
from support.training import World, world

from kizuna import command
from kizuna.chain import Call, Deployment, Devnet, Kizuna, Rpc, deploy, errors
from kizuna.chain.abi import artifact
from kizuna.chain.errors import RevertedSilently
from kizuna.errors import KizunaError, Reverted, WrongChain, exit_code
from kizuna.node.agent import Node, run
from kizuna.types import Role
from scripts import status
from trainer.agent import Trainer
from trainer.cheats import CHEATS

SEND = "eth_sendRawTransaction"


@pytest.fixture
def here(devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna], tmp_path: Path) -> Iterator[World]:
    with world(devnet, deployment, client, tmp_path) as published:
        yield published


@pytest.fixture
def proxy(devnet: Devnet) -> Iterator[Proxy]:
    with Proxy(devnet.url) as running:
        yield running


@contextmanager
def trainer(here: World, proxy: Proxy) -> Iterator[Trainer]:
    """A trainer with a seat in an open round, whose chain is behind the proxy."""
    node = here.node("trainer")
    node.options = replace(node.options, rpc=proxy.url)
    with node:
        agent = Trainer(node, CHEATS["none"])
        step(agent)
        here.open(1)
        try:
            yield agent
        finally:
            agent.close()


def step(agent: Trainer) -> bool:
    return agent.step(agent.node.chain.at(agent.node.chain.block))


def sent(proxy: Proxy) -> list[str]:
    return [request["params"][0] for request in proxy.seen if request["method"] == SEND]


# --- lost answers and lost transactions ---


def test_a_commitment_whose_answer_was_lost_is_on_chain_once(here: World, proxy: Proxy) -> None:
    """Others sent the nonce again and failed on the node's complaint (nucypher/nucypher#2398)."""
    with trainer(here, proxy) as agent:
        proxy.seen.clear()
        lines = []

        def lose(request: Request, forward: Forward) -> Reply:
            lines.append(status.awaited(agent.node.options.state))
            return lose_answer(request, forward)

        proxy.on(SEND, lose, times=1)
        proxy.on("eth_getTransactionByHash", result(None), times=1)  # so that it is sent again, and refused by the node
        here.devnet.set_automine(False)
        proxy.on("eth_getTransactionReceipt", mining(here, after=3), times=6)
        deadline = here.chain.round(here.task, 1).phase_end
        assert not step(agent)
        ((line,),) = lines
        assert line.startswith(f"commit/{here.task}/1, nonce ") and line.endswith(f"until block {deadline}")
        assert status.awaited(agent.node.options.state) == []
        copies = sent(proxy)
        assert len(copies) == 2 and len(set(copies)) == 1
        assert here.chain.round(here.task, 1).committed == 1
        assert len(proxy.seen) < 150


def mining(here: World, *, after: int) -> Callable[[Request, Forward], Reply]:
    """Lets the chain go on once it was asked for a receipt so many times."""
    asked = 0

    def rule(request: Request, forward: Forward) -> Reply:
        nonlocal asked
        asked += 1
        if asked == after:
            here.devnet.mine()
            here.devnet.set_automine(True)
        return forward(request)

    return rule


def test_status_tells_what_an_agent_awaits_if_it_is_told_where_the_agent_keeps_its_state(
    here: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with here.node("trainer") as node:
        assert node.chain.outbox is not None
        here.devnet.set_automine(False)
        node.chain.outbox.submit(f"{here.task}/errand", Call(node.account.address, b""))
        usual = [str(here.task), "--rpc", here.devnet.url, "--deployments", str(here.folder)]
        assert command.run(status.status, [*usual, "--state", str(node.options.state)]) == 0
        assert "errand, nonce 0, since block" in capsys.readouterr().out
        assert command.run(status.status, [*usual, "--state", "nowhere"]) == 2
        assert "nowhere: there is no such folder" in capsys.readouterr().err


def test_a_commitment_that_the_pool_dropped_is_sent_again_unchanged_before_its_deadline(
    here: World, proxy: Proxy
) -> None:
    """Others polled for its receipt for ever (foundry-rs/foundry#13352)."""
    with trainer(here, proxy) as agent:
        here.devnet.mine_to(here.chain.round(here.task, 1).phase_end - 20)
        proxy.seen.clear()

        def drop(request: Request, forward: Forward) -> Reply:
            here.devnet.set_automine(False)
            answer = forward(request)
            here.devnet.control("anvil_dropTransaction", answer["result"])
            here.devnet.set_automine(True)
            return answer

        proxy.on(SEND, drop, times=1)
        assert not step(agent)
        copies = sent(proxy)
        assert len(copies) == 2 and len(set(copies)) == 1
        assert here.chain.round(here.task, 1).committed == 1
        assert len(proxy.seen) < 150


# --- refusals ---


def test_a_commitment_that_came_too_late_moves_no_state_and_is_not_repeated(here: World, proxy: Proxy) -> None:
    """Others went on after a receipt of status 0 as if it were done (beamer-bridge/beamer#1178)."""
    with trainer(here, proxy) as agent:
        proxy.seen.clear()

        def late(request: Request, forward: Forward) -> Reply:
            here.devnet.mine_to(here.chain.round(here.task, 1).phase_end + 1)
            return forward(request)

        proxy.on(SEND, late, times=1)
        with pytest.raises(Reverted) as caught:
            step(agent)
        assert type(caught.value) is errors.Rounds_WrongPhase
        assert caught.value.args_
        assert here.chain.round(here.task, 1).committed == 0
        for _ in range(3):
            here.devnet.mine()
            assert not step(agent)
        commitments = [raw for raw in sent(proxy) if artifact("Rounds").functions["commit"].selector.hex() in raw]
        assert len(commitments) == 1
        assert agent.position == 0 and agent.drafts.folder.exists()


BLOCK_HASH = "0x" + "be" * 32
SHAPES: dict[str, Callable[[str], dict[str, Any]]] = {
    "code 3": lambda data: {"code": 3, "message": "execution reverted", "data": data},
    "nested": lambda data: {
        "code": -32603,
        "message": "Internal JSON-RPC error.",
        "data": {"message": "VM Exception", "txHash": BLOCK_HASH, "data": data},
    },
    "prefix": lambda data: {"code": -32015, "message": "VM execution error.", "data": f"Reverted {data}"},
    "no data": lambda data: {"code": -32000, "message": "execution reverted"},
}


def shaped(shape: str) -> Callable[[Request, Forward], Reply]:
    """What the node really answers, with revert data in another place."""

    def rule(request: Request, forward: Forward) -> Reply:
        answer = forward(request)
        if "error" in answer:
            answer["error"] = SHAPES[shape](answer["error"]["data"])
        return answer

    return rule


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("what", ["early unstake", "more than is held"])
def test_a_refused_call_has_one_name_however_the_node_wraps_it_and_is_not_sent(
    here: World, proxy: Proxy, what: str, shape: str
) -> None:
    """One error is of the called contract, one of OpenZeppelin and raised by the token (stakewise/v3-operator#774)."""
    with trainer(here, proxy) as agent:
        chain, token = agent.node.chain, here.params.token
        held = chain.token_balance(token, chain.address)
        chain.approve(token, held + 1)
        calls = {
            "early unstake": (lambda: chain.withdraw_stake(here.task, Role.TRAINER, 0), "Slots_StillActive"),
            "more than is held": (lambda: chain.deposit(token, held + 1), "ERC20InsufficientBalance"),
        }
        call, name = calls[what]
        with pytest.raises(Reverted) as true:
            call()
        assert type(true.value).__name__ == name
        for method in ("eth_estimateGas", "eth_call"):
            proxy.on(method, shaped(shape))
        proxy.seen.clear()
        with pytest.raises(Reverted) as caught:
            call()
        assert sent(proxy) == [] and proxy.count("eth_estimateGas") == 1
        if shape == "no data":
            assert type(caught.value) is RevertedSilently and "another RPC may tell" in str(caught.value)
        else:
            assert type(caught.value) is type(true.value) and caught.value.args_ == true.value.args_
        assert here.chain.stake_of(here.task, Role.TRAINER, 0) == here.params.money.trainer_stake


# --- other chains ---


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def used(here: World) -> Node:
    """A trainer's state after its first round, closed again."""
    node = here.node("trainer")
    with node:
        agent = Trainer(node, CHEATS["none"])
        step(agent)
        here.open(1)
        step(agent)
        agent.close()
    return node


def refusal(node: Node, **changes: Any) -> str:
    """The line with which an agent on an old state refuses to start; it must have changed nothing."""
    before = contents(node.options.state)
    with pytest.raises(KizunaError) as caught:
        run(Role.TRAINER, replace(node.options, **changes), node.account, lambda node: Trainer(node, CHEATS["none"]))
    assert exit_code(caught.value) == 2
    after = contents(node.options.state)
    assert {name: data for name, data in after.items() if name in before} == before
    assert set(after) - set(before) <= {"operator", ".in-use"}
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize("deployed", [False, True])
def test_an_old_state_on_a_chain_that_began_anew_is_refused_and_nothing_is_signed(used: Node, deployed: bool) -> None:
    """The same chain id, and perhaps even the same contracts at the same addresses (graphprotocol/graph-node#2332)."""
    with Devnet(mining="auto", extra=("--timestamp", "1700000000")) as fresh:
        if deployed:
            deploy(fresh.rpc(), fresh.deployer(), token=True)
        fresh.mine(200)
        line = refusal(used, rpc=fresh.url)
        assert "another chain with the same id" in line
        rpc = fresh.rpc()
        assert rpc.nonce(used.account.address, at=rpc.head()) == 0


def test_a_profile_of_another_chain_id_is_refused(used: Node, here: World) -> None:
    with Devnet(mining="auto", chain_id=5) as other:
        assert "5.json" in refusal(used, rpc=other.url)
        text = (here.folder / "31337.json").read_text()
        (here.folder / "5.json").write_text(text)
        assert "chainId" in refusal(used, rpc=other.url)


@pytest.mark.parametrize("chain_id", [5, 31337])
def test_a_node_that_becomes_another_chains_stops_the_agent_before_it_signs(
    here: World, proxy: Proxy, chain_id: int, signals: None
) -> None:
    with Devnet(mining="auto", chain_id=chain_id, extra=("--timestamp", "1700000000")) as other:
        other.mine(here.chain.block.number + 10)  # ahead, but not past the deadline

        class Impatient(Event):
            """Mines a block instead of waiting for one."""

            def wait(self, timeout: float | None = None) -> bool:
                here.devnet.mine()
                return self.is_set()

        class Moved(Trainer):
            """A trainer whose node is switched to another chain after it has trained."""

            def __init__(self, node: Node) -> None:
                super().__init__(node, CHEATS["none"])
                node.stop = Impatient()

            def _publish(self, *what: Any) -> Any:
                published = super()._publish(*what)
                proxy.upstream = other.url
                return published

        node = here.node("trainer")
        with node:
            agent = Trainer(node, CHEATS["none"])
            step(agent)
            agent.close()
        here.open(1)
        with pytest.raises(WrongChain) as caught:
            options = replace(node.options, rpc=proxy.url)
            run(Role.TRAINER, options, node.account, Moved)
        assert exit_code(caught.value) == 2 and "\n" not in str(caught.value)
        rpc = other.rpc()
        assert rpc.nonce(node.account.address, at=rpc.head()) == 0
        assert here.chain.round(here.task, 1).committed == 0


def test_another_first_block_under_the_same_id_is_noticed_by_reading_alone(devnet_only: Devnet) -> None:
    now = [0.0]
    with Devnet(mining="manual", extra=("--timestamp", "1700000000")) as other, Proxy(devnet_only.url) as proxy:
        other.mine(devnet_only.rpc().head().number + 10)
        rpc = Rpc(proxy.url, clock=lambda: now[0], sleep=lambda seconds: None)
        rpc.head()
        proxy.upstream = other.url
        now[0] += 20.0
        with pytest.raises(WrongChain, match="another first block"):
            rpc.head()
