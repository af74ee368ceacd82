"""An audit may be drawn late, and a checker then shows its ballot again: until then its hash has to be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.drand import Signer
from support.tasks import Cast, cast, windows

from kizuna.chain import Ballot, Deployment, Devnet, Kizuna, deploy, rules
from kizuna.chain.ahead import awaited
from kizuna.chain.deployment import deploy_drand
from kizuna.chain.drand import Network
from kizuna.types import ZERO_DIGEST, Digest, Mark, Phase

SIGNER = Signer(secret=0x6B697A756E61)
NETWORK = Network(key=SIGNER.key, genesis=1_727_521_075, period=3, group_hash=bytes(32), id="tests")
ONE = Digest(b"\1" * 32)


@pytest.fixture(scope="module")
def anvil() -> Iterator[Devnet]:
    with Devnet(mining="auto") as running:
        yield running


@pytest.fixture(scope="module")
def deployment(anvil: Devnet) -> Deployment:
    """All contracts, the test token, and a beacon of the tests' network."""
    core = deploy(anvil.rpc(), anvil.deployer(), token=True)
    return deploy_drand(anvil.rpc(), anvil.deployer(), core, NETWORK)


@pytest.fixture
def people(devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna]) -> Cast:
    usual = windows(challenge=5)
    return cast(devnet, deployment, client, beacon=deployment.beacons["drand"], rounds=3, windows=usual)


def publish(people: Cast, number: int) -> None:
    """Posts what a round waits for."""
    chain = people.initiator
    target = awaited(chain.round(people.task, number))
    time = chain.drand_time_of(target)
    if chain.block.timestamp < time:
        people.devnet.control("evm_setNextBlockTimestamp", time)
        people.devnet.mine()
    chain.post_drand(target, SIGNER.sign(target))


def to_reveal(people: Cast, number: int) -> list[tuple[Kizuna, Ballot]]:
    """Everybody has voted; the ballots."""
    chain, task = people.initiator, people.task
    chain.advance(task, number)
    publish(people, number)
    for trainer in people.trainers:
        trainer.commit(task, number, ONE, ONE, ONE)
    for verifier in people.verifiers[:2]:
        verifier.chain.attest(task, number, 0b11)
    publish(people, number)
    chain.advance(task, number)
    ballots = []
    for verifier in people.verifiers:
        ballot = Ballot(
            marks=rules.marks_of({0: Mark.PASS, 1: Mark.PASS}),
            secret=Digest(verifier.secrets.secret(number, active_from=1)),
            evidence_root=ONE,
            previous_version=ZERO_DIGEST,
            salt=ONE,
        )
        verifier.chain.vote(task, number, chain.ballot_hash(task, number, verifier.chain.address, ballot))
        ballots.append((verifier.chain, ballot))
    return ballots


def test_no_round_opens_that_would_overwrite_ballots_which_a_late_audit_may_ask_for(people: Cast) -> None:
    chain, task = people.initiator, people.task
    for number in (1, 2):
        for voter, ballot in to_reveal(people, number):
            voter.reveal(task, number, ballot)
        people.devnet.control("evm_increaseTime", 60)  # or the next seed would be the value that this audit awaits
        people.devnet.mine_to(chain.round(task, number).phase_end + 1)
    beacon, first = people.params.beacon, chain.round(task, 1)
    assert first.phase is Phase.CHALLENGE and not chain.beacon_expired(beacon, first.audit_target)
    assert chain.published(beacon, first.audit_target) is None
    assert chain.obstacle(task) == "evidence of the round before the last is due"
