"""Every way in which the contracts refuse a call, by name; the model refuses it alike."""

from __future__ import annotations

from typing import Any

import pytest
from support.ground import AMOUNTS, SLOW, WALLET, Ground
from support.mirror import Mirror
from support.people import INITIATOR, KEEPER, SALT, STRANGER, operator_of, owner_of
from support.play import Play

from kizuna.chain import rules
from kizuna.types import ZERO_DIGEST, Phase, Role, Ruling

MONEY = AMOUNTS["usual"]
CHECKER = operator_of(Role.VERIFIER, 0)
TRAINER = operator_of(Role.TRAINER, 0)


def all_in(ground: Ground, **changes: Any) -> tuple[Mirror, Play]:
    """Two trainers and three verifiers, all of whom attest and check; everybody is audited."""
    usual = {"trainer_slots": 2, "verifier_seats": 3, "committee": 3, "audit_rate": 1 << 32}
    return ground.task(**usual | changes)


def played_to(ground: Ground, phase: Phase, *words: str, **changes: Any) -> tuple[Mirror, Play]:
    """Round 1 in a phase: in VOTE nobody has voted yet, in REVEAL nobody revealed."""
    mirror, play = all_in(ground, **changes)
    steps = [play.open, play.commit_all, play.attest_all, play.seal, lambda: play.vote_all([*words, *["pass"] * 4])]
    for step in [*steps, play.reveal_all][:phase]:
        step()
    assert play.round.phase is phase
    return mirror, play


def refused(mirror: Mirror, name: str, *why: str) -> None:
    """The last call was, by both, and both are where they were."""
    mirror.compare()
    assert mirror.said == [name, *why]


def test_of_the_vault(ground: Ground) -> None:
    mirror, _ = all_in(ground)
    for call, amount, name in [
        ("deposit", 0, "Vault_ZeroAmount"),
        ("withdraw", 0, "Vault_ZeroAmount"),
        ("deposit", 2 * WALLET, "ERC20InsufficientBalance"),
        ("withdraw", 2 * WALLET, "Vault_Insufficient"),
    ]:
        mirror.call(call, amount, sender=INITIATOR)
        refused(mirror, name)
    mirror.call("flush", sender=STRANGER)
    refused(mirror, "Vault_ZeroAmount")


def test_of_tasks(ground: Ground) -> None:
    mirror, play = all_in(ground)
    mirror.call("cancel", sender=STRANGER)
    refused(mirror, "Tasks_NotInitiator")
    mirror.call("finish", sender=STRANGER)
    refused(mirror, "Tasks_NotStalled")
    mirror.mine(300)
    mirror.call("finish", sender=STRANGER)
    refused(mirror, "Tasks_NotStalled")  # it could open
    play.open()
    mirror.call("cancel", sender=INITIATOR)
    refused(mirror, "Tasks_WrongState")
    mirror.call("finish", sender=STRANGER)
    refused(mirror, "Tasks_NotStalled")


def test_once_a_task_is_cancelled_nothing_is_left_but_to_leave(ground: Ground) -> None:
    mirror, play = all_in(ground)
    mirror.call("cancel", sender=INITIATOR)
    for call, args, name in [
        ("cancel", (), "Tasks_WrongState"),
        ("finish", (), "Tasks_WrongState"),
        ("fund", (1,), "Tasks_WrongState"),
    ]:
        mirror.call(call, *args, sender=INITIATOR)
        refused(mirror, name)
    play.join(Role.TRAINER, 2)
    refused(mirror, "Slots_TaskClosed")
    play.open()
    refused(mirror, "Rounds_NotReadyToOpen", "task is closed")
    assert mirror.call("withdraw_stake", Role.TRAINER, 0, sender=STRANGER)


@pytest.mark.parametrize(
    ("role", "spoilt", "name"),
    [
        (Role.TRAINER, {"quota": 0}, "Slots_BadQuota"),
        (Role.TRAINER, {"quota": 2}, "Slots_BadQuota"),
        (Role.TRAINER, {"numerics_id": ZERO_DIGEST}, "Slots_WrongNumerics"),
        (Role.VERIFIER, {"operator": TRAINER}, "Slots_OperatorTaken"),
        (Role.TRAINER, {"operator": "0x" + "00" * 20}, "Slots_OperatorTaken"),
        (Role.VERIFIER, {"secret_tip": ZERO_DIGEST}, "Slots_BadSecret"),
        (Role.TRAINER, {"secret_tip": SALT}, "Slots_BadSecret"),
        (Role.TRAINER, {"endpoint": "x" * 257}, "Slots_BadEndpoint"),
        (Role.VERIFIER, {"endpoint": "x"}, "Slots_BadEndpoint"),
    ],
)
def test_of_joins(ground: Ground, role: Role, spoilt: dict[str, Any], name: str) -> None:
    mirror, play = all_in(ground)
    play.join(role, 4, **spoilt)
    refused(mirror, name)


def test_of_slots(ground: Ground) -> None:
    mirror, play = all_in(ground, shard_slots=2, rounds=1)
    play.join(Role.TRAINER, 2)
    refused(mirror, "Slots_Full")
    owner = owner_of(Role.VERIFIER, 2)
    mirror.call("withdraw", mirror.model.balance(rules.free_account(owner)), sender=owner)
    mirror.call("exit", Role.VERIFIER, 2, sender=STRANGER)
    refused(mirror, "Slots_NotOwner")
    mirror.call("exit", Role.VERIFIER, 5, sender=STRANGER)
    refused(mirror, "Slots_NoSlot")
    mirror.call("withdraw_stake", Role.VERIFIER, 2, sender=owner)
    refused(mirror, "Slots_StillActive")
    play.open()
    assert mirror.call("exit", Role.VERIFIER, 2, sender=operator_of(Role.VERIFIER, 2))
    mirror.call("exit", Role.VERIFIER, 2, sender=owner)
    refused(mirror, "Slots_StillActive")
    mirror.call("withdraw_stake", Role.VERIFIER, 2, sender=owner)
    refused(mirror, "Slots_StillActive")
    mirror.call("announce", "x", sender=CHECKER)
    refused(mirror, "Slots_NoSlot")
    play.join(Role.VERIFIER, 3)
    refused(mirror, "Slots_TaskClosed")


def test_a_stake_has_to_be_there(ground: Ground) -> None:
    mirror, play = all_in(ground)
    owner = owner_of(Role.VERIFIER, 3)
    mirror.call("withdraw", mirror.model.balance(rules.free_account(owner)) - MONEY.verifier_stake + 1, sender=owner)
    play.join(Role.VERIFIER, 3)
    refused(mirror, "Vault_Insufficient")


def test_of_opening(ground: Ground) -> None:
    mirror, play = all_in(ground, rounds=2)
    for number in (0, 2):
        mirror.call("advance", number, sender=KEEPER)
        refused(mirror, "Rounds_NotReadyToOpen", "not the next round")
    play.open()
    play.open()
    refused(mirror, "Rounds_NotReadyToOpen", "the round before is not soft")
    mirror.call("advance", 1, sender=KEEPER)
    mirror.call("advance", 1, sender=KEEPER)
    refused(mirror, "Rounds_NothingDue")
    mirror.mine(300)
    play.open()
    assert mirror.said == ["accepted"] and play.last == 2  # round 1 ended in the same call
    mirror.mine(300)
    play.open()
    refused(mirror, "Rounds_NotReadyToOpen", "no rounds left")


@pytest.mark.parametrize(
    ("leaving", "reason"),
    [
        ([(Role.TRAINER, 0)], "slots are not full"),
        ([(Role.TRAINER, 0), (Role.TRAINER, 1)], "no trainer"),
        ([(Role.VERIFIER, 1)], "too few verifier seats"),
    ],
)
def test_of_opening_without_enough_slots(ground: Ground, leaving: list[tuple[Role, int]], reason: str) -> None:
    mirror, play = all_in(ground)
    for role, i in leaving:
        mirror.call("exit", role, i, sender=owner_of(role, i))
    mirror.mine(0 if reason == "slots are not full" else 20)
    play.open()
    refused(mirror, "Rounds_NotReadyToOpen", reason)


def test_of_opening_without_enough_escrow(ground: Ground) -> None:
    mirror, play = played_to(ground, Phase.REVEAL, budget=1)
    play.reveal_all()
    play.open()
    refused(mirror, "Rounds_NotReadyToOpen", "escrow below the reserve")


def test_of_opening_while_evidence_of_the_round_before_the_last_is_due(ground: Ground) -> None:
    mirror, play = played_to(ground, Phase.REVEAL, windows=SLOW, audit_rate=0)
    play.reveal_all()
    for step in (play.open, play.commit_all, play.attest_all, play.seal, play.vote_all, play.reveal_all):
        step()
    play.open()
    refused(mirror, "Rounds_NotReadyToOpen", "evidence of the round before the last is due")
    play.wait_for(mirror.model.state.rounds[0].phase_end)
    play.open()
    assert mirror.said == ["accepted"] and play.last == 3


DUTIES: list[tuple[str, tuple[Any, ...], Phase]] = [
    ("commit", (SALT,) * 3, Phase.OPEN),
    ("attest", (1,), Phase.ATTEST),
    ("vote", (SALT,), Phase.VOTE),
]


@pytest.mark.parametrize(("call", "args", "phase"), DUTIES)
def test_of_duties_of_others_and_out_of_time(ground: Ground, call: str, args: tuple[Any, ...], phase: Phase) -> None:
    mirror, play = played_to(ground, phase)
    play.wait_for(play.round.seed_target)
    whose = Role.TRAINER if call == "commit" else Role.VERIFIER
    other = Role.VERIFIER if call == "commit" else Role.TRAINER
    for sender, name in [
        (STRANGER, "Slots_NoSlot"),
        (operator_of(other, 0), "Rounds_NotMember"),
        (operator_of(whose, 0), "accepted"),
        (operator_of(whose, 0), "Rounds_AlreadyDone"),
    ]:
        mirror.call(call, 1, *args, sender=sender)
        refused(mirror, name)
    play.join(whose, len(mirror.model.state.slots[whose]))
    mirror.call(call, 1, *args, sender=operator_of(whose, len(mirror.model.state.slots[whose]) - 1))
    refused(mirror, "Rounds_NotMember")
    for number in (0, 2):
        mirror.call(call, number, *args, sender=operator_of(whose, 1))
        refused(mirror, "Rounds_WrongPhase")
    play.wait_for(play.round.phase_end)
    mirror.call(call, 1, *args, sender=operator_of(whose, 1))
    refused(mirror, "Rounds_WrongPhase")


def test_of_commits_before_the_seed(ground: Ground) -> None:
    mirror, play = all_in(ground)
    play.open()
    play.commit(1, 0)
    refused(mirror, "Rounds_WrongPhase")


def test_of_an_empty_vote(ground: Ground) -> None:
    mirror, _ = played_to(ground, Phase.VOTE)
    mirror.call("vote", 1, ZERO_DIGEST, sender=CHECKER)
    refused(mirror, "Rounds_BallotMismatch")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["foreign", "foreign"], ["Rounds_BadMarks"]),  # trainer 1 is of the same owner
        (["pass", "pass", "foreign"], ["Rounds_BadMarks"]),
        (["unsaid"], ["Rounds_BadMarks"]),
        (["unmarked"], ["Rounds_BadMarks"]),
        (["beyond"], ["Rounds_BadChallenge", "item"]),
        (["undrawn"], ["Rounds_BadChallenge", "item"]),
        (["undrawn group"], ["Rounds_BadChallenge", "item"]),
        (["evidence"], ["Rounds_BadChallenge", "check"]),
        (["nobody"], ["Rounds_BadChallenge", "slot"]),
        (["wrong secret"], ["Slots_BadSecret"]),
    ],
)
def test_of_ballots(ground: Ground, words: list[str], said: list[str]) -> None:
    mirror, play = played_to(ground, Phase.VOTE)
    play.vote_all(words)
    play.reveal(1, 0)
    refused(mirror, *said)


def test_of_reveals(ground: Ground) -> None:
    mirror, play = played_to(ground, Phase.REVEAL)
    mirror.call("reveal", 1, play.ballots[1, 0], sender=TRAINER)
    refused(mirror, "Rounds_NotMember")
    mirror.call("reveal", 1, play.ballots[1, 0], sender=operator_of(Role.VERIFIER, 1))
    refused(mirror, "Rounds_BallotMismatch")
    assert play.reveal(1, 0)
    play.reveal(1, 0)
    refused(mirror, "Rounds_AlreadyDone")


def test_of_a_reveal_after_the_first_attempt(ground: Ground) -> None:
    mirror, play = played_to(ground, Phase.REVEAL, verifier_seats=4)
    late = min(seat for seat in range(4) if play.round.checkers >> seat & 1)
    play.wait_for(play.round.phase_end)
    mirror.call("advance", 1, sender=KEEPER)
    play.vote_all()
    assert play.round.phase is Phase.REVEAL and play.round.attempt == 1
    play.reveal(1, late)
    refused(mirror, "Rounds_AlreadyDone")


def test_a_docket_has_room_for_64_disputes(ground: Ground) -> None:
    mirror, play = played_to(
        ground, Phase.REVEAL, "everything", segments=64, segments_per_checker=64, groups_per_segment=2
    )
    play.reveal(1, 0)
    refused(mirror, "Court_DocketFull")


def test_of_bonds_that_nobody_covers(ground: Ground) -> None:
    mirror, play = played_to(ground, Phase.REVEAL, "update", "update")
    owner = owner_of(Role.VERIFIER, 1)
    mirror.call("withdraw", mirror.model.balance(rules.free_account(owner)), sender=owner)
    play.reveal(1, 1)
    refused(mirror, "Court_BondUncovered")


FIELDS = ["task", "round", "seat", "slot", "kind", "draw", "operator", "proof"]
SPOILT = {
    **{field: ["Rounds_BadEvidence", field] for field in FIELDS},
    "short": ["Rounds_BadEvidence", "size"],
    "long": ["Rounds_BadEvidence", "size"],
    "item": ["Rounds_BadEvidence", "proof"],  # which item it was is for the jury, but the leaf is another one
    "ballot": ["Rounds_BallotMismatch"],
}


@pytest.mark.parametrize(("spoil", "said"), SPOILT.items())
def test_of_evidence(ground: Ground, spoil: str, said: list[str]) -> None:
    mirror, play = played_to(ground, Phase.CHALLENGE)
    play.post(1, 0)
    refused(mirror, "Rounds_WrongPhase")  # the audit beacon is not there yet
    play.wait_for(play.round.audit_target)
    mirror.call("poke", 1, sender=STRANGER)
    play.post(1, 0, spoil=spoil)
    refused(mirror, *said)


def test_of_evidence_that_nobody_asked_for(ground: Ground) -> None:
    mirror, play = played_to(ground, Phase.CHALLENGE, "skip", "skip")
    play.post_all(1)
    refused(mirror, "Rounds_NotAudited")
    mirror.call("post_evidence", 1, play.ballots[1, 0], bytes(300), (), sender=TRAINER)
    refused(mirror, "Rounds_NotMember")


def test_of_evidence_twice_or_late(ground: Ground) -> None:
    mirror, play = played_to(ground, Phase.CHALLENGE)
    play.post_all(1, but=1)
    play.post(1, 0)
    refused(mirror, "Rounds_AlreadyDone")
    play.wait_for(play.round.phase_end)
    play.post(1, 1)
    refused(mirror, "Rounds_WrongPhase")


def test_of_juries(ground: Ground) -> None:
    mirror, play = played_to(ground, Phase.REVEAL, "update", verifier_seats=4)
    play.jcommit(1, 1, 0, [Ruling.CLEAN])
    refused(mirror, "Court_WrongPhase")
    play.reveal_all()
    docket = mirror.model.docket(1, 1)
    first, juror, other, *_ = [docket.disputes[0].challengers[0], *(p for p in range(4) if docket.jurors >> p & 1)]
    for call in (play.jcommit, play.jreveal):
        if call == play.jreveal:
            play.wait_for(docket.phase_end)
            call(1, 1, juror, other=Ruling.GUILTY_GROSS)
            refused(mirror, "Court_JurorMismatch")
            call(1, 1, other)
            refused(mirror, "Court_BadRulings")
        more = ([Ruling.CLEAN],) if call == play.jcommit else ()
        call(1, 1, first, *more)
        refused(mirror, "Court_NotJuror")
        assert call(1, 1, juror, *more)
        call(1, 1, juror, *more)
        refused(mirror, "Court_AlreadyDone")
        if call == play.jcommit:
            assert play.jcommit(1, 1, other, [Ruling.HUNG])
    mirror.call("advance_docket", 1, 1, sender=KEEPER)
    refused(mirror, "Court_NothingDue")


def test_nobody_sits_on_a_docket_of_the_only_verifier(ground: Ground) -> None:
    mirror, play = played_to(ground, Phase.REVEAL, "update", verifier_seats=1, committee=1)
    play.reveal_all()
    play.jcommit(1, 1, 0, [Ruling.CLEAN])
    refused(mirror, "Court_NotJuror")
    mirror.call("advance_docket", 1, 1, sender=KEEPER)
    mirror.compare()
    assert mirror.model.docket(1, 1).disputes[0].ruling is Ruling.HUNG


def test_of_heads_and_claims(ground: Ground) -> None:
    mirror, play = played_to(ground, Phase.REVEAL, rounds=1)
    mirror.call("report_head", SALT, sender=CHECKER)
    refused(mirror, "Rounds_WrongPhase")
    mirror.call("claim", Role.TRAINER, 0, [1], sender=STRANGER)
    refused(mirror, "Rounds_WrongPhase")
    play.reveal_all()
    for sender, name in [
        (STRANGER, "Slots_NoSlot"),
        (TRAINER, "Rounds_NotMember"),
        (CHECKER, "accepted"),
        (CHECKER, "Rounds_AlreadyDone"),
    ]:
        mirror.call("report_head", SALT, sender=sender)
        refused(mirror, name)
    mirror.call("claim", Role.TRAINER, 0, [1, 0], sender=STRANGER)
    refused(mirror, "Rounds_WrongPhase")
