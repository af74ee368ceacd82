"""A tiny task with real content: chain, mirror, genesis, and verifiers whose votes a test decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from kizuna.chain import Ballot, Deployment, Devnet, Kizuna, TaskParams, positions, rules
from kizuna.diloco.segments import RoundResult, TrainRound
from kizuna.draws import SecretChain, secret_chain
from kizuna.hashing import keccak
from kizuna.node.agent import Node, Options
from kizuna.node.contribution import publish
from kizuna.node.task_context import TaskContext, file_digest, numerics_of
from kizuna.rl.config import RoundConfig
from kizuna.rl.environment import ENVIRONMENTS
from kizuna.rl.genesis import GenesisPlan, genesis_files
from kizuna.rl.model import read_weights
from kizuna.store import DAG_CBOR, Cid, FlatFs, Limits, MemoryBlocks, Pins, dagcbor, unixfs
from kizuna.store.gateway import Gateway
from kizuna.store.mirror import Mirror
from kizuna.task import Environment, Inner, TaskSpec
from kizuna.types import ZERO_DIGEST, Address, Digest, Mark, Phase, Role
from support.tasks import PRICE, money, task_params, windows

SPEC = TaskSpec(
    name="tiny",
    environment=Environment(name="reverse", max_new_tokens=4),
    inner=Inner(prompts=2, completions=4, steps=4, segment_steps=2),
)
Make = Callable[[str], Kizuna]


@cache
def genesis() -> dict[str, bytes]:
    """A model of two small layers that has learned nothing."""
    plan = GenesisPlan(steps=0, hidden=32, layers=2, heads=4, intermediate=48)
    return genesis_files(ENVIRONMENTS[SPEC.environment.name], plan)


@cache
def numerics() -> Digest:
    return numerics_of(SPEC, genesis())


@dataclass(slots=True)
class World:
    """A published task. `round` plays the verifiers' part of a round."""

    devnet: Devnet
    deployment: Deployment
    folder: Path
    mirror: Gateway
    held: FlatFs
    task: int
    params: TaskParams
    chain: Kizuna
    verifiers: list[tuple[Kizuna, SecretChain]] = field(default_factory=list)

    def node(self, name: str, role: Role = Role.TRAINER) -> Node:
        """An agent's resources, on the same state whenever it is asked for."""
        account = self.devnet.account(name)
        if self.chain.token_balance(self.params.token, account.address) < 10 * PRICE:
            self.chain.faucet(100 * PRICE, to=account.address)
        options = Options(
            task=self.task,
            rpc=self.devnet.url,
            state=self.folder / name,
            mirrors=(self.mirror.url,),
            deployments=self.folder,
        )
        return Node(options, role, account)

    def seat_verifiers(self, make: Make) -> None:
        """All verifiers of the task join."""
        for i in range(self.params.verifier_seats):
            chain, secrets = make(f"verifier {i}"), secret_chain(f"verifier {i}".encode(), 16)
            chain.join(self.task, Role.VERIFIER, secret_tip=secrets.tip, numerics_id=self.params.numerics_id)
            self.verifiers.append((chain, secrets))

    def reconnect(self) -> None:
        """New clients for everybody, as those from before a reorganisation know blocks that are no more."""
        for client in (self.chain, *(chain for chain, _ in self.verifiers)):
            client.close()

        def again(name: str) -> Kizuna:
            return Kizuna(self.devnet.rpc(), self.deployment, self.devnet.account(name))

        self.chain = again("initiator")
        self.verifiers = [(again(f"verifier {i}"), secrets) for i, (_, secrets) in enumerate(self.verifiers)]

    def open(self, round: int) -> None:
        """Opens a round and mines its seed."""
        self.chain.advance(self.task, round)
        self.devnet.mine(2)

    def attest(self, round: int, held: int) -> None:
        """All attest the same, until the window closes."""
        for chain, _ in self.verifiers:
            if chain.round(self.task, round).phase is Phase.ATTEST:
                chain.attest(self.task, round, held)
        self.devnet.mine_to(self.chain.round(self.task, round).seal_target + 1)

    def pass_all(self, round: int) -> None:
        """Everybody votes PASS on what is held, and reveals."""
        self._vote(round, Mark.PASS)

    def skip_all(self, round: int) -> None:
        """Everybody skips everything, so that nothing is accepted."""
        self._vote(round, Mark.SKIP)

    def _vote(self, round: int, mark: Mark) -> None:
        held = positions(self.chain.round(self.task, round).held)
        ballots = []
        for chain, secrets in self.verifiers:
            _, position = chain.slot_of(self.task, chain.address)
            active_from = chain.slot(self.task, Role.VERIFIER, position).active_from
            ballot = Ballot(
                marks=rules.marks_of(dict.fromkeys(held, mark)),
                secret=Digest(secrets.secret(round, active_from=active_from)),
                evidence_root=Digest(keccak(b"evidence")),
                previous_version=ZERO_DIGEST,
                salt=Digest(keccak(b"salt")),
            )
            chain.vote(self.task, round, chain.ballot_hash(self.task, round, chain.address, ballot))
            ballots.append((chain, ballot))
        for chain, ballot in ballots:
            chain.reveal(self.task, round, ballot)

    def settle(self, round: int) -> None:
        """Mines past the last window and moves the round to its end."""
        self.devnet.mine_to(self.chain.round(self.task, round).phase_end + 1)
        while self.chain.round(self.task, round).phase is Phase.CHALLENGE:
            self.chain.advance(self.task, round)


@contextmanager
def world(devnet: Devnet, deployment: Deployment, make: Make, folder: Path, **changes: object) -> Iterator[World]:
    """Publishes the tiny task with a mirror that takes everything. By default one trainer, and nobody is audited."""
    held = FlatFs(folder / "mirror")
    pins = Pins(held, folder / "pins.sqlite")
    limits = Limits(max_bytes=1 << 30)
    mirror = Mirror(pins, folder / "mirror.sqlite", authorize=lambda *_: True, limits=limits)
    deployment.write(folder)
    record = dagcbor.encode(SPEC.record())
    spec = Cid.of(record, DAG_CBOR)
    held.put(spec, record)
    usual: dict[str, object] = {
        "spec": spec.digest,
        "genesis": unixfs.add_directory(held, genesis()).digest,
        "numerics_id": numerics(),
        "trainer_slots": 1,
        "segments": SPEC.inner.segments,
        "groups_per_segment": SPEC.inner.groups_per_segment,
        "audit_rate": 0,
    }
    params = replace(task_params(deployment), **(usual | changes))  # type: ignore[arg-type]
    initiator = make("initiator")
    task = initiator.create_task(params, rules.full_reserve(params) * params.rounds)
    with Gateway(held, routes=mirror.routes) as gateway:
        here = World(devnet, deployment, folder, gateway, held, task, params, initiator)
        here.seat_verifiers(make)
        yield here
    mirror.close()
    pins.close()
    held.close()


@cache
def context() -> TaskContext:
    """The tiny task as a node knows it, without a chain."""
    nowhere = Address("0x" + "0" * 40)
    params = TaskParams(
        token=nowhere,
        beacon=nowhere,
        spec=Digest(b"\x01" * 32),
        genesis=Digest(unixfs.add_directory(MemoryBlocks(), genesis()).digest),
        numerics_id=numerics(),
        trainer_slots=2,
        verifier_seats=3,
        min_verifier_seats=3,
        max_quota=1,
        shard_slots=4,
        committee=3,
        rounds=2,
        start_block=1_000,
        segments=SPEC.inner.segments,
        segments_per_checker=1,
        groups_per_segment=SPEC.inner.groups_per_segment,
        rollouts_per_checker=2,
        audit_rate=0,
        windows=windows(),
        money=money(),
    )
    return TaskContext(1, params, SPEC, genesis())


def config(round: int = 1, slot: int = 0) -> RoundConfig:
    """The rules of a slot's round on the genesis."""
    here = context()
    return here.config(round=round, slot=slot, base=here.params.genesis, seed=keccak(b"seed %d" % round))


def train(rules_: RoundConfig, round_type: type[TrainRound] = TrainRound) -> TrainRound:
    """A whole round of one slot, trained from the genesis."""
    here = context()
    training = round_type(
        here.model,
        read_weights(genesis()),
        config=rules_,
        tokenizer=here.tokenizer,
        environment=here.environment,
    )
    for _ in training:
        pass
    return training


@cache
def trained() -> RoundResult:
    """What the honest trainer of slot 0 ends with."""
    return train(config()).result(numerics_id=numerics(), digest_of=file_digest)


def committed_by(here: World, *slots: int) -> list[Digest]:
    """Opens round 1 and commits what honest trainers of these slots would, held by the mirror; manifest digests."""
    trainers = [Kizuna(here.devnet.rpc(), here.deployment, here.devnet.account(f"slot {slot}")) for slot in slots]
    for chain in trainers:
        here.chain.faucet(20 * PRICE, to=chain.address)
        chain.deposit(here.params.token, 20 * PRICE)
        chain.join(here.task, Role.TRAINER, numerics_id=here.params.numerics_id)
    here.open(1)
    seed = here.chain.seed(here.task, 1)
    assert seed is not None
    digests = []
    for slot, chain in zip(slots, trainers, strict=True):
        rules_ = TaskContext(here.task, here.params, SPEC, genesis()).config(
            round=1, slot=slot, base=here.params.genesis, seed=seed
        )
        result = train(rules_).result(numerics_id=numerics(), digest_of=file_digest)
        where = here.deployment
        digest, manifest = publish(
            here.held,
            result,
            rules_,
            chain=where.chain_id,
            rounds=bytes.fromhex(where.rounds[2:]),
            numerics_id=numerics(),
        )
        chain.commit(here.task, 1, digest, manifest.receipt_root, manifest.leaf_root)
        chain.close()
        digests.append(digest)
    return digests
