"""The typed client against the real contracts: a round from open to claim, and what is computed off chain."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from eth_abi.abi import encode
from support.proxy import Forward, Proxy, Reply, Request, error
from support.tasks import PRICE, Cast, cast, task_params

from kizuna.chain import (
    Ballot,
    Call,
    Challenge,
    Deployment,
    Devnet,
    EventLog,
    Journal,
    Kizuna,
    Rpc,
    errors,
    positions,
    rules,
)
from kizuna.chain.abi import artifact
from kizuna.chain.events import Committed, RoundOpened, VersionReported
from kizuna.chain.structs import TaskState, to_abi
from kizuna.errors import ConfigError
from kizuna.types import ZERO_DIGEST, Check, Digest, Mark, Phase, Role, Ruling

Make = Callable[[str], Kizuna]


def digest(n: int) -> Digest:
    return Digest(bytes([n]) * 32)


@pytest.fixture
def people(devnet: Devnet, deployment: Deployment, client: Make) -> Cast:
    return cast(devnet, deployment, client)


def open_round(people: Cast, round: int = 1) -> None:
    people.initiator.advance(people.task, round)
    people.devnet.mine(2)


def commit_all(people: Cast, round: int = 1) -> None:
    for i, trainer in enumerate(people.trainers):
        trainer.commit(people.task, round, digest(16 + i), digest(32 + i), digest(48 + i))


def attest_all(people: Cast, round: int = 1) -> None:
    """Attests until the window closes early."""
    for verifier in people.verifiers:
        if people.initiator.round(people.task, round).phase is Phase.ATTEST:
            verifier.chain.attest(people.task, round, 0b11)
    view = people.initiator.round(people.task, round)
    people.devnet.mine_to(view.seal_target + 1)


def ballot_of(people: Cast, position: int, round: int = 1, **changes: object) -> Ballot:
    verifier = people.verifiers[position]
    active_from = people.initiator.slot(people.task, Role.VERIFIER, position).active_from
    fields: dict[str, object] = {
        "marks": rules.marks_of({0: Mark.PASS, 1: Mark.PASS}),
        "secret": verifier.secrets.secret(round, active_from=active_from),
        "evidence_root": digest(7),
        "previous_version": ZERO_DIGEST if round == 1 else digest(9),
        "salt": digest(8),
    }
    return Ballot(**(fields | changes))  # type: ignore[arg-type]


def vote_and_reveal(people: Cast, round: int = 1) -> None:
    for verifier in people.verifiers:
        ballot = ballot_of(people, verifier.position, round)
        hidden = people.initiator.ballot_hash(people.task, round, verifier.chain.address, ballot)
        verifier.chain.vote(people.task, round, hidden)
    for verifier in people.verifiers:
        verifier.chain.reveal(people.task, round, ballot_of(people, verifier.position, round))


def test_task_is_read_back_as_created(people: Cast) -> None:
    chain, task = people.initiator, people.task
    assert chain.params(task) == people.params
    assert chain.state_of(task) is TaskState.LISTED
    assert chain.initiator_of(task) == chain.address
    assert chain.task_count() >= task
    assert chain.escrow_of(task) == 2 * rules.full_reserve(people.params)


def test_slots_are_read_back_as_joined(people: Cast) -> None:
    chain, task = people.initiator, people.task
    trainers = chain.slots(task, Role.TRAINER)
    assert [slot.owner for slot in trainers] == [trainer.address for trainer in people.trainers]
    assert chain.slot_of(task, people.trainers[1].address) == (Role.TRAINER, 1)
    assert chain.stake_of(task, Role.TRAINER, 0) == 10 * PRICE
    assert chain.ready(task) == (0b11, 0b111)
    assert chain.at(chain.block).endpoints(task)[Role.TRAINER, 0] == "http://trainer-0.example"


def test_wrong_parameter_is_refused_by_field_name(client: Make, deployment: Deployment) -> None:
    with pytest.raises(errors.Tasks_BadParameter) as caught:
        client("initiator").create_task(task_params(deployment, committee=0), 10**24)
    assert caught.value.args_[0] == "committee"


def test_unknown_task_and_operator_are_refused_by_name(people: Cast, client: Make) -> None:
    with pytest.raises(errors.Tasks_UnknownTask):
        people.initiator.params(99)
    with pytest.raises(errors.Slots_NoSlot):
        people.initiator.slot_of(people.task, client("stranger").address)


def test_opening_moves_the_computed_reserve(people: Cast) -> None:
    chain = people.initiator
    receipt = chain.advance(people.task, 1)
    token, pot = people.params.token, rules.pot_account(people.task, 1)
    reserve = rules.reserve(people.params.money, trainers=2, verifiers=3, committee=3)
    assert chain.at(receipt.block).balance_of(token, pot) == reserve - people.params.money.tip
    assert chain.next_round(people.task) == 2


def test_seed_is_known_before_a_call_captures_it(people: Cast) -> None:
    chain = people.initiator
    chain.advance(people.task, 1)
    assert chain.seed(people.task, 1) is None
    people.devnet.mine_to(chain.round(people.task, 1).seed_target)
    seed = chain.seed(people.task, 1)
    assert seed is not None
    assert chain.round(people.task, 1).seed == ZERO_DIGEST
    commit_all(people)
    assert chain.round(people.task, 1).seed == seed == chain.seed(people.task, 1)


def test_commitments_come_from_events_and_match_the_contract(people: Cast) -> None:
    open_round(people)
    commit_all(people)
    at = people.initiator.at(people.initiator.block)
    assert at.commitments(people.task, 1) == {
        0: (digest(16), digest(32), digest(48)),
        1: (digest(17), digest(33), digest(49)),
    }
    assert at.commitment(people.task, 1, 0) != ZERO_DIGEST
    assert at.commitments(people.task, 2) == {}


def test_commit_is_sent_once(people: Cast) -> None:
    open_round(people)
    first = people.trainers[0].commit(people.task, 1, digest(1), digest(2), digest(3))
    assert people.trainers[0].commit(people.task, 1, digest(1), digest(2), digest(3)) == first


def test_committees_are_drawn_off_chain_as_on_chain(people: Cast) -> None:
    open_round(people)
    commit_all(people)
    view = people.initiator.round(people.task, 1)
    drawn = rules.attesters(people.params, view, task=people.task, round=1, seed=view.seed)
    assert tuple(sorted(drawn)) == positions(view.attesters)


def test_checkers_know_their_work_before_a_call_reads_the_seal(people: Cast) -> None:
    chain, task = people.initiator, people.task
    open_round(people)
    commit_all(people)
    for verifier in people.verifiers[:2]:
        verifier.chain.attest(task, 1, 0b11)
    sealing = chain.round(task, 1)
    assert sealing.phase is Phase.SEAL
    assert chain.round_ahead(people.params, task, 1) == sealing
    people.devnet.mine_to(sealing.seal_target)
    foreseen = chain.round_ahead(people.params, task, 1)
    assert foreseen.phase is Phase.VOTE
    chain.advance(task, 1)
    assert chain.round(task, 1) == foreseen


def test_a_window_that_is_over_is_the_next_phase_for_the_next_call(people: Cast) -> None:
    chain, task = people.initiator, people.task
    open_round(people)
    people.trainers[0].commit(task, 1, digest(1), digest(2), digest(3))
    end = chain.round(task, 1).phase_end
    people.devnet.mine_to(end - 1)
    assert chain.round_ahead(people.params, task, 1).phase is Phase.OPEN
    people.devnet.mine_to(end)
    foreseen = chain.round_ahead(people.params, task, 1)
    chain.advance(task, 1)
    assert chain.round(task, 1) == foreseen


def test_ballot_and_juror_hashes_equal_the_contracts(people: Cast, rpc: Rpc, deployment: Deployment) -> None:
    challenge = Challenge(1, Check.SEGMENT, 2, digest(5))
    ballot = ballot_of(people, 0, marks=rules.marks_of({0: Mark.PASS, 1: Mark.CHALLENGE}), challenges=(challenge,))
    voter = people.verifiers[0].chain.address
    chain = people.initiator
    on_chain = chain._view("Rounds", "ballotHash", people.task, 1, voter, ballot)
    assert chain.ballot_hash(people.task, 1, voter, ballot) == on_chain
    rulings, results = [Ruling.CLEAN, Ruling.NONE], [digest(1), ZERO_DIGEST]
    local = chain.juror_hash(people.task, 1, 2, voter, rulings=rulings, results=results, salt=digest(4))
    assert local == chain._view("Court", "jurorHash", people.task, 1, 2, voter, rulings, results, digest(4))


def test_round_runs_from_open_to_claim(people: Cast) -> None:
    chain, task, money = people.initiator, people.task, people.params.money
    open_round(people)
    assert chain.state_of(task) is TaskState.RUNNING
    commit_all(people)
    attest_all(people)
    vote_and_reveal(people)
    view = chain.round(task, 1)
    assert view.accepted == 0b11
    assert view.phase is Phase.CHALLENGE
    assert chain.at(chain.block).ballots(task, 1)[2] == ballot_of(people, 2)
    people.devnet.mine_to(view.audit_target + 1)
    chain.advance(task, 1)
    audited, index, leaves = chain.audit_of(task, 1, 0)
    assert audited
    assert leaves == 2 * 3
    assert 0 <= index < leaves
    people.devnet.mine_to(view.phase_end + 1)
    while chain.round(task, 1).phase is Phase.CHALLENGE:
        chain.advance(task, 1)
    assert chain.round(task, 1).phase is Phase.FINAL
    assert chain.claimable(task, Role.TRAINER, 0, [1]) == money.price
    before = chain.free_of(people.params.token, people.trainers[0].address)
    chain.claim(task, Role.TRAINER, 0, [1])
    assert chain.free_of(people.params.token, people.trainers[0].address) == before + money.price


def test_events_tell_the_round(people: Cast, rpc: Rpc, deployment: Deployment) -> None:
    open_round(people)
    commit_all(people)
    events = EventLog(rpc, deployment, Journal(":memory:")).poll()
    opened = [event for event in events if isinstance(event, RoundOpened)]
    assert [(event.trainers, event.verifiers) for event in opened] == [(0b11, 0b111)]
    assert [event.position for event in events if isinstance(event, Committed)] == [0, 1]
    assert not any(isinstance(event, VersionReported) for event in events)


def test_pinned_reads_stay_at_their_block(people: Cast) -> None:
    before = people.initiator.at(people.initiator.block)
    people.initiator.advance(people.task, 1)
    assert before.next_round(people.task) == 1
    assert people.initiator.next_round(people.task) == 2


def test_permit_deposits_in_one_transaction(devnet: Devnet, deployment: Deployment) -> None:
    owner = devnet.account("permit owner")
    assert deployment.token is not None
    with_account = Kizuna(devnet.rpc(), deployment, owner)
    with_account.faucet(500)
    with_account.deposit_with_permit(deployment.token, 300, owner)
    assert with_account.free_of(deployment.token, owner.address) == 300
    with_account.withdraw(deployment.token, 100)
    assert with_account.token_balance(deployment.token, owner.address) == 300


def test_permit_used_up_by_a_stranger_is_no_obstacle(devnet: Devnet, deployment: Deployment, client: Make) -> None:
    from kizuna.chain import permits

    owner = devnet.account("permit owner")
    assert deployment.token is not None
    chain = Kizuna(devnet.rpc(), deployment, owner)
    chain.faucet(500)
    deadline = chain.block.timestamp + 1_000
    v, r, s = permits.sign(chain, deployment.token, 300, account=owner, deadline_s=deadline)
    stranger = client("stranger")
    stranger._send("TestToken", "permit", owner.address, deployment.vault, 300, deadline, v, r, s)
    chain._send("Vault", "depositWithPermit", deployment.token, 300, deadline, v, r, s)
    assert chain.free_of(deployment.token, owner.address) == 300


def test_client_without_account_only_reads(rpc: Rpc, deployment: Deployment) -> None:
    reader = Kizuna(rpc, deployment)
    assert reader.task_count() == 0
    with pytest.raises(ConfigError, match="only reads"):
        reader.cancel(1)


def test_cancelled_task_refunds_budget_and_bond(people: Cast) -> None:
    chain, token = people.initiator, people.params.token
    escrow, bond = chain.escrow_of(people.task), people.params.money.initiator_bond
    before = chain.free_of(token, chain.address)
    chain.cancel(people.task)
    assert chain.free_of(token, chain.address) == before + escrow + bond
    assert chain.state_of(people.task) is TaskState.CANCELLED


def test_late_call_raises_the_contracts_error_with_its_arguments(people: Cast) -> None:
    open_round(people)
    view = people.initiator.round(people.task, 1)
    people.devnet.mine_to(view.phase_end + 1)
    with pytest.raises(errors.Rounds_WrongPhase) as caught:
        people.trainers[0].commit(people.task, 1, digest(1), digest(2), digest(3))
    assert caught.value.args_[:2] == (people.task, 1)


def test_commit_that_becomes_late_in_the_pool_raises_by_name(people: Cast) -> None:
    """Valid when it was estimated and sent, late when a block takes it."""
    open_round(people)
    trainer, devnet, task = people.trainers[0], people.devnet, people.task
    end = people.initiator.round(task, 1).phase_end
    assert trainer.outbox is not None
    function = artifact("Rounds").functions["commit"]
    devnet.set_automine(False)
    call = Call(trainer.deployment.rounds, function.encode(task, 1, digest(1), digest(2), digest(3)))
    trainer.outbox.submit("commit", call)
    (waiting,) = trainer.outbox.pending()
    devnet.control("anvil_dropTransaction", "0x" + waiting.versions[0].hex())
    devnet.mine_to(end + 1)
    devnet.set_automine(True)
    with pytest.raises(errors.Rounds_WrongPhase):
        trainer.outbox.wait("commit")
    with pytest.raises(errors.Rounds_WrongPhase):
        trainer.outbox.send("commit", call)


def test_history_needs_no_old_state(people: Cast, deployment: Deployment) -> None:
    """An ordinary node forgets state older than 128 blocks; whoever comes late reads logs and the newest state."""
    open_round(people)
    commit_all(people)
    people.devnet.mine(300)

    def pruned(request: Request, forward: Forward) -> Reply:
        reference = request["params"][-1]
        known = forward({**request, "method": "eth_getBlockByHash", "params": [reference["blockHash"], False]})
        newest = int(forward({**request, "method": "eth_blockNumber", "params": []})["result"], 16)
        if newest - int(known["result"]["number"], 16) > 128:
            return error(-32000, "missing trie node")(request, forward)
        return forward(request)

    with Proxy(people.devnet.url) as proxy:
        proxy.on("eth_call", pruned)
        late = Kizuna(Rpc(proxy.url), deployment)
        assert sorted(late.commitments(people.task, 1)) == [0, 1]
        assert late.slot_count(people.task, Role.VERIFIER) == 3
        assert late.event_log().poll()


def test_structs_encode_as_the_abi_says(deployment: Deployment) -> None:
    function = artifact("Tasks").functions["createTask"]
    params = task_params(deployment)
    assert encode(function.inputs, [to_abi(params), 5]) == function.encode(to_abi(params), 5)[4:]
