"""Rounds that draw by drand, on a chain of their own: a network whose key the tests hold, and evmnet itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from support.drand import Signer
from support.tasks import Cast, cast

from kizuna.chain import Ballot, Deployment, Devnet, Kizuna, deploy, errors, rules
from kizuna.chain.ahead import awaited
from kizuna.chain.deployment import deploy_drand
from kizuna.chain.drand import EVMNET, Network
from kizuna.types import ZERO_DIGEST, Digest, Mark, Phase, Role

SIGNER = Signer(secret=0x6B697A756E61)
NETWORK = Network(key=SIGNER.key, genesis=1_727_521_075, period=3, group_hash=bytes(32), id="tests")
EVMNET_ROUND = 19_732_510
EVMNET_SIGNATURE = bytes.fromhex(
    "180a58cd3c3299b4eac3c7730cba7d00e084edba93da88d4513f4bdabb209e92"
    "183a6779d3ce0f92744930f77ef5407fab5f0dd80a395c7f1da23856f23ecbd2"
)
EVMNET_TIME = EVMNET.genesis + (EVMNET_ROUND - 1) * EVMNET.period

Make = Callable[[str], Kizuna]


@pytest.fixture(scope="module")
def anvil() -> Iterator[Devnet]:
    """A chain whose clock stands where evmnet published a round that is known here."""
    with Devnet(mining="auto", extra=("--timestamp", str(EVMNET_TIME))) as running:
        yield running


@pytest.fixture(scope="module")
def deployment(anvil: Devnet) -> Deployment:
    """All contracts, the test token, and a beacon of the tests' network."""
    core = deploy(anvil.rpc(), anvil.deployer(), token=True)
    return deploy_drand(anvil.rpc(), anvil.deployer(), core, NETWORK)


@pytest.fixture
def people(devnet: Devnet, deployment: Deployment, client: Make) -> Cast:
    return cast(devnet, deployment, client, beacon=deployment.beacons["drand"])


def digest(n: int) -> Digest:
    return Digest(bytes([n]) * 32)


def wait_for(people: Cast, target: int) -> None:
    """Lets the chain's clock reach a round of drand."""
    time = people.initiator.drand_time_of(target)
    if people.initiator.block.timestamp < time:
        people.devnet.control("evm_setNextBlockTimestamp", time)
        people.devnet.mine()


def publish(people: Cast) -> Digest:
    """Posts what round 1 waits for; its randomness."""
    chain = people.initiator
    target = awaited(chain.round(people.task, 1))
    assert chain.published(people.params.beacon, target) is None
    wait_for(people, target)
    signature = SIGNER.sign(target)
    receipt = chain.post_drand(target, signature)
    found = chain.published(people.params.beacon, target)
    assert found is not None
    assert (found.value, found.since) == (sha256(signature).digest(), receipt.block)
    return found.value


def advance(people: Cast) -> None:
    """One call, which finds the round as it was foreseen."""
    chain, task = people.initiator, people.task
    foreseen = chain.round_ahead(people.params, task, 1)
    chain.advance(task, 1)
    assert chain.round(task, 1) == foreseen


def commit_and_attest(people: Cast) -> None:
    for i, trainer in enumerate(people.trainers):
        trainer.commit(people.task, 1, digest(16 + i), digest(32 + i), digest(48 + i))
    for verifier in people.verifiers[:2]:
        verifier.chain.attest(people.task, 1, 0b11)


def vote_and_reveal(people: Cast) -> None:
    ballots = []
    for verifier in people.verifiers:
        ballot = Ballot(
            marks=rules.marks_of({0: Mark.PASS, 1: Mark.PASS}),
            secret=Digest(verifier.secrets.secret(1, active_from=1)),
            evidence_root=digest(7),
            previous_version=ZERO_DIGEST,
            salt=digest(8),
        )
        hidden = people.initiator.ballot_hash(people.task, 1, verifier.chain.address, ballot)
        verifier.chain.vote(people.task, 1, hidden)
        ballots.append((verifier.chain, ballot))
    for chain, ballot in ballots:
        chain.reveal(people.task, 1, ballot)


def test_a_round_runs_from_open_to_final_on_three_posted_values(people: Cast) -> None:
    chain, task = people.initiator, people.task
    chain.advance(task, 1)
    assert chain.seed(task, 1) is None
    seed = publish(people)
    assert chain.seed(task, 1) == seed
    advance(people)
    commit_and_attest(people)
    seal = publish(people)
    advance(people)
    vote_and_reveal(people)
    audit = publish(people)
    advance(people)
    people.devnet.mine_to(chain.round(task, 1).phase_end)
    while chain.round(task, 1).phase is Phase.CHALLENGE:
        chain.advance(task, 1)
    view = chain.round(task, 1)
    assert (view.phase, view.paid) == (Phase.FINAL, 0b11)
    assert (view.seed, view.seal, view.audit) == (seed, seal, audit)
    assert chain.convicted(task, Role.VERIFIER) == 0b111  # nobody showed the evidence that the audit asked for


def test_windows_count_from_the_block_in_which_a_late_value_is_posted(people: Cast) -> None:
    chain, task, windows = people.initiator, people.task, people.params.windows
    chain.advance(task, 1)
    people.devnet.mine(2 * windows.open)
    publish(people)
    posted = chain.block.number
    assert chain.round_ahead(people.params, task, 1).phase_end == posted - 1 + windows.open
    advance(people)
    assert chain.round(task, 1).phase is Phase.OPEN
    commit_and_attest(people)
    people.devnet.mine(2 * windows.vote)
    publish(people)
    assert chain.round_ahead(people.params, task, 1).phase_end == chain.block.number + windows.vote
    advance(people)
    vote_and_reveal(people)
    people.devnet.mine(2 * windows.challenge)
    publish(people)
    assert chain.round_ahead(people.params, task, 1).phase_end == chain.block.number - 2 + windows.challenge
    advance(people)


def test_a_network_that_falls_silent_voids_the_round(people: Cast) -> None:
    chain, task = people.initiator, people.task
    chain.advance(task, 1)
    target = chain.round(task, 1).seed_target
    wait_for(people, target)
    people.devnet.control("evm_increaseTime", 3_602)
    people.devnet.mine()
    assert chain.beacon_expired(people.params.beacon, target)
    with pytest.raises(errors.Beacon_Expired):
        chain.post_drand(target, SIGNER.sign(target))
    assert chain.seed(task, 1) is None
    chain.advance(task, 1)
    assert chain.round(task, 1).phase is Phase.VOID


def test_a_signature_is_checked_before_it_costs_gas_and_posted_once(people: Cast) -> None:
    chain = people.initiator
    target = 20_000_000
    wait_for(people, target)
    signature = SIGNER.sign(target)
    assert chain.check_drand(target, signature) == sha256(signature).digest()
    with pytest.raises(errors.DrandBeacon_BadSignature):
        chain.check_drand(target + 1, signature)
    with pytest.raises(errors.DrandBeacon_BadLength):
        chain.check_drand(target, signature[:-1])
    first = chain.post_drand(target, signature)
    assert chain.post_drand(target, signature) == first
    with pytest.raises(errors.DrandBeacon_AlreadyPosted):
        people.trainers[0].post_drand(target, signature)


def test_evmnet_is_deployed_recorded_and_takes_a_beacon_it_published(
    devnet: Devnet, deployment: Deployment, tmp_path: Path
) -> None:
    rpc = devnet.rpc()
    real = deploy_drand(rpc, devnet.account("deployer of evmnet"), deployment, EVMNET)
    real.write(tmp_path)
    found = Deployment.read(deployment.chain_id, tmp_path)
    assert found == real
    found.verify(rpc)
    chain = Kizuna(rpc, found, devnet.account("poster"))
    assert chain.drand_chain_hash() == EVMNET.chain_hash != NETWORK.chain_hash
    assert chain.drand_time_of(EVMNET_ROUND) == EVMNET_TIME
    chain.post_drand(EVMNET_ROUND, EVMNET_SIGNATURE)
    published = chain.published(found.beacons["drand"], EVMNET_ROUND)
    assert published is not None
    assert published.value == sha256(EVMNET_SIGNATURE).digest()
