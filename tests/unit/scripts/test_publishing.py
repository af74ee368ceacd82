"""`kizuna publish`: refusals before money moves, and that an interrupted publication is ended and not paid twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands import Command
from support.nodes import answering, result
from support.tasks import PRICE

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.store import DAG_CBOR, Cid, FlatFs, Limits, Pins
from kizuna.store.gateway import Gateway
from kizuna.store.mirror import Authorize, Mirror
from kizuna.task import load
from scripts.mirror import takes_part

TASK = """
name: tiny
rounds: 2
model: {hidden: 32, layers: 2, heads: 4, warmup_steps: 0}
environment: {name: reverse, max_new_tokens: 6}
inner: {prompts: 4, completions: 4, steps: 4, segment_steps: 2}
verification: {segments: 1, rollouts: 1}
seats: {trainers: 2, verifiers: 4, min_verifiers: 3, committee: 3}
money: {budget: 200}
"""
COST = 208 * PRICE
"""Budget and bond."""


@pytest.fixture
def task_file(tmp_path: Path) -> Path:
    path = tmp_path / "task.yaml"
    path.write_text(TASK)
    return path


@pytest.fixture
def reader(devnet: Devnet, deployment: Deployment) -> Iterator[Kizuna]:
    client = Kizuna(devnet.rpc(), deployment)
    yield client
    client.close()


@pytest.fixture
def mirror(tmp_path: Path, reader: Kizuna) -> Iterator[Callable[..., Gateway]]:
    """Starts a mirror that takes what `authorize` says, by default what the real one does."""
    blocks = FlatFs(tmp_path / "mirror" / "blocks")
    pins = Pins(blocks, tmp_path / "mirror" / "pins.sqlite")
    opened: list[Gateway | Mirror] = []

    def start(authorize: Authorize | None = None, port: int = 0) -> Gateway:
        state = tmp_path / "mirror" / "mirror.sqlite"
        held = Mirror(pins, state, authorize=authorize or takes_part(reader), limits=Limits(max_bytes=1 << 30))
        gateway = Gateway(blocks, port=port, routes=held.routes)
        opened[:0] = [gateway, held]
        return gateway

    yield start
    for part in opened:
        part.close()
    pins.close()
    blocks.close()


@pytest.fixture
def initiator(devnet: Devnet, deployment: Deployment, tmp_path: Path) -> Callable[..., str]:
    """`initiator(tokens)`: the key file of an account with so many whole tokens."""

    def make(tokens: int, ether: int = 10) -> str:
        account = devnet.account("publisher", ether=ether)
        bank = Kizuna(devnet.rpc(), deployment, devnet.deployer())
        if tokens:
            bank.faucet(tokens * PRICE, to=account.address)
        bank.close()
        path = tmp_path / "initiator.key"
        path.write_text(bytes(account.key).hex())
        return str(path)

    return make


@pytest.fixture
def publish(
    kizuna: Command, devnet: Devnet, deployment: Deployment, tmp_path: Path, task_file: Path
) -> Callable[..., object]:
    deployment.write(tmp_path / "deployments")
    where = {"rpc": devnet.url, "deployments": tmp_path / "deployments", "state": tmp_path / "publish"}
    return lambda **options: kizuna("publish", task_file, **(where | options))


def purse(reader: Kizuna, devnet: Devnet) -> int:
    """Wei of the test token that the initiator holds itself."""
    return reader.token_balance(reader.deployment.token or "", devnet.account("publisher").address)


def test_a_task_is_published_once_and_its_content_is_on_the_mirror(
    publish: Command, mirror: Callable[..., Gateway], initiator: Callable[..., str], reader: Kizuna, tmp_path: Path
) -> None:
    url = mirror().url
    ended = publish(key=initiator(208), mirror=url)
    assert ended.code == 0 and "task 1 is published" in ended.out, ended
    params = reader.params(1)
    blocks = FlatFs(tmp_path / "mirror" / "blocks")
    assert blocks.has(Cid(params.spec, DAG_CBOR))
    blocks.close()
    assert reader.escrow_of(1) == 200 * PRICE
    again = publish(key=initiator(0), mirror=url)
    assert again.code == 0 and reader.task_count() == 1


def test_without_a_mirror_nothing_is_paid(
    publish: Command, initiator: Callable[..., str], reader: Kizuna, devnet: Devnet
) -> None:
    key = initiator(208)
    assert "name at least one" in publish(key=key).refusal
    with answering(result("ok")) as url:
        for wrong in ("http://127.0.0.1:9", devnet.url, url):
            assert (
                f"there is no mirror at {wrong}: start one with `kizuna mirror`"
                in publish(key=key, mirror=wrong).refusal
            )
    assert "without a path" in publish(key=key, mirror="http://127.0.0.1:9/path").refusal
    assert reader.task_count() == 0
    assert purse(reader, devnet) == COST


def test_a_mirror_that_refuses_is_named_and_the_same_command_ends_what_it_held_up(
    publish: Command, mirror: Callable[..., Gateway], initiator: Callable[..., str], reader: Kizuna
) -> None:
    grumpy = mirror(lambda *_: False)
    key, port = initiator(208), grumpy.port
    refusal = publish(key=key, mirror=grumpy.url).refusal
    assert f"task 1 is created but mirror {grumpy.url} does not hold its content" in refusal
    assert "run the same command again" in refusal
    grumpy.close()
    ended = publish(key=key, mirror=mirror(port=port).url)
    assert ended.code == 0 and "task 1 is published" in ended.out, ended
    assert reader.task_count() == 1


def test_an_initiator_without_the_money_is_told_what_it_lacks(
    publish: Command, mirror: Callable[..., Gateway], initiator: Callable[..., str], reader: Kizuna
) -> None:
    url = mirror().url
    refusal = publish(key=initiator(207), mirror=url).refusal
    assert f"needs {COST} wei of token" in refusal and f"it holds {207 * PRICE}" in refusal
    assert "holds 0 wei and" in publish(key=initiator(1, ether=0), mirror=url).refusal
    assert reader.task_count() == 0


def test_a_token_that_is_none_is_refused(
    publish: Command, mirror: Callable[..., Gateway], initiator: Callable[..., str]
) -> None:
    key, url, nobody = initiator(208), mirror().url, "0x" + "11" * 20
    assert "--token 0x12: not an address" in publish(key=key, mirror=url, token="0x12").refusal
    assert f"{nobody} is no ERC-20 token" in publish(key=key, mirror=url, token=nobody).refusal


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("money: {budget: 200, trainer_bounty_cap: 1}", "money.trainerBountyCap: more than a tenth of the slash"),
        ("windows: {challenge: 4}", "windows.challenge: closes before evidence can be posted"),
        ("money: {budget: 200, attest_fee: 0}", "money.attestFee: zero"),
    ],
)
def test_what_the_contracts_refuse_is_refused_before_it_is_paid_for(
    publish: Command,
    mirror: Callable[..., Gateway],
    initiator: Callable[..., str],
    reader: Kizuna,
    devnet: Devnet,
    task_file: Path,
    line: str,
    told: str,
) -> None:
    section = line.split(":")[0]
    kept = [known for known in TASK.splitlines() if not known.startswith(section)]
    task_file.write_text("\n".join([*kept, line]))
    load(task_file)
    assert told in publish(key=initiator(208), mirror=mirror().url).refusal
    assert purse(reader, devnet) == COST
