"""Random games of a whole task, played on the real contracts and on the model at once: both always agree.

`pytest --hypothesis-profile=deep` plays thousands of steps instead of the few hundred of the default.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.ground import AMOUNTS, SLOW, WALLET, WINDOWS, Ground
from support.mirror import came_to
from support.people import INITIATOR, KEEPER, PEOPLE, STRANGER, operator_of, owner_of, version_of
from support.play import NOBODY

from kizuna.chain import Ballot, TaskState, rules
from kizuna.types import ZERO_DIGEST, DocketPhase, Phase, Role, Ruling

DEEP = settings.get_current_profile_name() == "deep"
EXAMPLES, STEPS = (400, 100) if DEEP else (120, 30)
OPEN_TASK = (TaskState.LISTED, TaskState.RUNNING)
SEATS = st.integers(0, 5)
SOME = st.sampled_from([NOBODY, NOBODY, 0, 1, 2])
LATE = st.sampled_from([0, 0, 1, 2])
BACK = st.integers(0, 2)
ROLES = st.sampled_from(Role)
WORDS = ["pass"] * 6 + ["skip", "update", "encode", "segment", "segment", "rollout", "available", "unserved", "several"]
SPOILT_WORDS = ["undrawn", "beyond", "evidence", "unsaid", "unmarked", "foreign", "wrong secret", "wrong version"]
SOUND = st.lists(st.sampled_from(WORDS), min_size=4, max_size=4)
BALLOT = st.sampled_from([WORDS, WORDS, WORDS + SPOILT_WORDS]).flatmap(
    lambda words: st.lists(st.sampled_from(words), min_size=4, max_size=4)
)
RULINGS = st.lists(st.sampled_from([r for r in Ruling if r is not Ruling.HUNG]), min_size=1, max_size=3)
SPOILT = st.sampled_from(
    ["", "", "", "task", "slot", "kind", "draw", "item", "operator", "short", "long", "proof", "ballot"]
)
SPOILT_JOINS = st.sampled_from([
    {},
    {},
    {},
    {"quota": 2},
    {"operator": "0x" + "00" * 20},
    {"operator": operator_of(Role.TRAINER, 0)},
    {"secret_tip": ZERO_DIGEST},
    {"numerics_id": ZERO_DIGEST},
    {"endpoint": "x" * 257},
])  # fmt: skip
SUMS = st.sampled_from([0, 1, 10**18, None, None, 2 * WALLET])
DUTIES = [*["due"] * 8, "commit", "attest", "vote", "reveal", "jcommit", "jreveal", "advance_docket", "report_head"]
DUE = {Phase.OPEN: "commit", Phase.ATTEST: "attest", Phase.VOTE: "vote", Phase.REVEAL: "reveal"}
NO_BALLOT = Ballot(
    marks=0,
    secret=ZERO_DIGEST,
    evidence_root=ZERO_DIGEST,
    previous_version=ZERO_DIGEST,
    salt=ZERO_DIGEST,
)
FOREIGN: dict[str, tuple[Any, ...]] = {
    "commit": (ZERO_DIGEST,) * 3,
    "attest": (1,),
    "vote": (ZERO_DIGEST,),
    "post_evidence": (NO_BALLOT, bytes(300), ()),
    "jcommit": (1, ZERO_DIGEST),
    "jreveal": (1, (), (), ZERO_DIGEST),
}
WANTED = {
    *("phase " + phase.name for phase in Phase if phase is not Phase.NONE),
    *("accepted", "paid", "cleared", "convicted", "second vote", "version recorded"),
}
"""What games are to have come to, or they prove little."""
SLOT_MOVES = st.sampled_from([
    ("exit", owner_of),
    ("exit", operator_of),
    ("exit", lambda role, i: STRANGER),
    ("withdraw_stake", lambda role, i: STRANGER),
    ("announce", owner_of),
    ("announce", operator_of),
])  # fmt: skip
RARELY = st.sampled_from([
    *[("flush", STRANGER)] * 4,
    *[("fund", amount, INITIATOR) for amount in (0, 1, 10**18, WALLET)],
    *[("finish", STRANGER), ("cancel", STRANGER)] * 2,
    ("cancel", INITIATOR),
    ("time passes", 40),
    ("time passes", 249),
    ("time passes", 252),
])  # fmt: skip


# Rules that always fit would crowd out the others: in any one block few of them can be drawn.
AT_TIMES = precondition(lambda game: game.mirror.next_block % 4 == 0)
AT_OTHER_TIMES = precondition(lambda game: game.mirror.next_block % 4 == 2)


class Game(RuleBasedStateMachine):
    """One task. Most moves fit the phase they are made in; any of them may be missed, late, doubled or wrong."""

    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.ground = ground

    @initialize(
        trainer_slots=st.integers(1, 3),
        verifier_seats=st.integers(3, 5),
        committee=st.integers(1, 3),
        segments_per_checker=st.integers(1, 2),
        rollouts_per_checker=st.integers(0, 2),
        audit_rate=st.sampled_from([1 << 32, 1 << 32, 1 << 31, 0]),
        amounts=st.sampled_from([*AMOUNTS, "usual"]),
        budget=st.sampled_from([3, 3, 1]),
        patient=st.booleans(),
        strides=st.integers(0, 24),
        words=SOUND,
        pattern=RULINGS,
    )
    def list_and_join(self, patient: bool, strides: int, words: list[str], pattern: list[Ruling], **drawn: Any) -> None:
        """In a `patient` task the courts sit when no round can open, so that convictions fall into later rounds."""
        self.patient = patient
        self.mirror, self.play = self.ground.task(windows=SLOW if patient else WINDOWS, **drawn)
        self.model = self.mirror.model
        for _ in range(strides):
            self.stride(words, words, pattern, pattern)

    def teardown(self) -> None:
        self.mirror.close()
        Game.seen += self.mirror.seen + came_to(self.model)

    @invariant()
    def the_contracts_are_as_the_model_says(self) -> None:
        self.mirror.compare()

    @property
    def last(self) -> int:
        return self.play.last

    def number(self, back: int) -> int:
        """A round, counted back from the last; the first if there are not as many."""
        return max(1, self.last - back)

    def phase_of(self, back: int) -> Phase:
        return self.model.state.rounds[self.number(back) - 1].phase if self.last else Phase.NONE

    # --- everybody does what is asked of it, but for some ---

    @rule(
        words=SOUND,
        others=BALLOT,
        pattern=RULINGS,
        other_pattern=RULINGS,
        odd=SOME,
        but=SOME,
        late=LATE,
        hold=st.booleans(),
    )
    def stride(
        self,
        words: list[str],
        others: list[str],
        pattern: list[Ruling],
        other_pattern: list[Ruling],
        odd: int = NOBODY,
        but: int = NOBODY,
        late: int = 0,
        hold: bool = False,
    ) -> None:
        """What comes next: a docket, the last round, or where that is soft, the round after it."""
        play, phase, obstacle = self.play, self.phase_of(0), self.model.obstacle()
        in_court = not self.patient or (obstacle and phase >= Phase.VOTE)
        if play.dockets(DocketPhase.JREVEAL) and in_court:
            play.jury_reveals(but=but, hold=hold)
        elif play.dockets(DocketPhase.JCOMMIT) and in_court and (self.last > 1 or obstacle):
            play.jury_commits(pattern, otherwise=other_pattern, odd=odd, but=but, hold=hold)
        elif phase is Phase.OPEN:
            play.commit_all(but=but, hold=hold)
        elif phase is Phase.ATTEST:
            play.attest_all(otherwise=(0, 2, 5)[late], odd=odd, but=but, hold=hold)
        elif phase is Phase.SEAL:
            play.seal(late=late)
        elif phase is Phase.VOTE:
            play.vote_all(words, otherwise=others, odd=odd, but=but, hold=hold)
        elif phase is Phase.REVEAL:
            play.reveal_all(but=but, hold=hold)
        elif play.soft() and (self.last > 1 or obstacle):
            number = play.soft()[0]
            if self.mirror.next_block <= self.model.state.rounds[number - 1].phase_end:
                play.post_all(number, but=but, hold=hold)
            play.end_challenges(number, late=late)
        elif not obstacle and self.model.state.task in OPEN_TASK:
            play.open()
        else:
            self.mirror.mine(1)

    # --- time ---

    @AT_OTHER_TIMES
    @rule(blocks=st.sampled_from([1, 2, 3, 4]))
    def time_passes(self, blocks: int) -> None:
        self.mirror.mine(blocks)

    @AT_OTHER_TIMES
    @precondition(lambda self: self.last)
    @rule(back=st.integers(0, 1), late=st.sampled_from([0, 1, 1, 2]))
    def a_window_ends(self, back: int, late: int) -> None:
        """Time passes to the last block of a window of the round or its dockets, or some blocks beyond."""
        ends = [self.model.state.rounds[self.number(back) - 1].phase_end]
        ends += [self.model.docket(self.number(back), which).phase_end for which in (1, 2)]
        coming = [end for end in ends if end >= self.mirror.next_block]
        self.mirror.mine(min(coming) + late - self.mirror.next_block if coming else 0)
        self.mirror.call("poke", self.number(back), sender=STRANGER)

    @AT_TIMES
    @rule(move=RARELY)
    def rarely(self, move: tuple[Any, ...]) -> None:
        """Things that would end most games early, if they were as likely as the others."""
        name, *args = move
        if name == "time passes":
            self.mirror.mine(*args)
        else:
            *args, sender = args
            self.mirror.call(name, *args, sender=sender)

    # --- somebody does something, at any time ---

    @AT_OTHER_TIMES
    @rule(call=st.sampled_from(["advance", "poke", "poke_court"]), back=st.integers(-1, 2), hold=st.booleans())
    def move_on(self, call: str, back: int, hold: bool) -> None:
        number = self.last - back
        if call == "advance" and number >= 0:
            self.mirror.call(call, number, sender=KEEPER, hold=hold)
        elif number >= 0:
            self.mirror.call(call, number, sender=STRANGER, hold=hold)

    @precondition(lambda self: self.last)
    @rule(duty=st.sampled_from(DUTIES), i=SEATS, back=BACK, ballot=BALLOT, pattern=RULINGS, hold=st.booleans())
    def duty(self, duty: str, i: int, back: int, ballot: list[str], pattern: list[Ruling], hold: bool) -> None:
        """A duty by somebody who may have it, now or not."""
        play, number, which = self.play, self.number(back), 1 + i % 2
        if duty == "due":
            duty = DUE.get(self.phase_of(back), "jcommit")
        seat = i % len(self.model.state.slots[Role.VERIFIER])
        if duty == "commit":
            play.commit(number, i, hold=hold)
        elif duty == "attest":
            play.attest(number, seat, i, hold=hold)
        elif duty == "vote":
            play.vote(number, seat, ballot, hold=hold)
        elif duty == "reveal":
            play.reveal(number, seat, hold=hold)
        elif duty == "jcommit":
            play.jcommit(number, which, seat, pattern, hold=hold)
        elif duty == "jreveal":
            play.jreveal(number, which, seat, other=pattern[0] if len(pattern) > 1 else None, hold=hold)
        elif duty == "advance_docket":
            self.mirror.call("advance_docket", number, which, sender=KEEPER, hold=hold)
        else:
            self.mirror.call("report_head", version_of(number), sender=operator_of(Role.VERIFIER, seat), hold=hold)

    @precondition(lambda self: self.play.soft())
    @rule(seat=st.integers(0, 2), spoil=SPOILT)
    def post(self, seat: int, spoil: str) -> None:
        self.play.post(self.play.soft()[0], seat, spoil=spoil)

    @precondition(lambda self: self.last)
    @AT_TIMES
    @rule(call=st.sampled_from(sorted(FOREIGN)), back=BACK, who=st.sampled_from(["keeper", "other role", "owner"]))
    def out_of_place(self, call: str, back: int, who: str) -> None:
        """A duty by somebody who never has it."""
        other = operator_of(Role.VERIFIER if call == "commit" else Role.TRAINER, 0)
        sender = {"keeper": KEEPER, "other role": other, "owner": owner_of(Role.VERIFIER, 1)}[who]
        self.mirror.call(call, self.number(back), *FOREIGN[call], sender=sender)

    # --- slots and money ---

    @precondition(lambda self: all(len(slots) < PEOPLE for slots in self.model.state.slots.values()))
    @AT_TIMES
    @rule(role=ROLES, spoilt=SPOILT_JOINS)
    def join(self, role: Role, spoilt: dict[str, Any]) -> None:
        self.play.join(role, len(self.model.state.slots[role]), **spoilt)

    @AT_TIMES
    @rule(move=SLOT_MOVES, role=ROLES, i=SEATS, hold=st.booleans())
    def slot(self, move: tuple[str, Any], role: Role, i: int, hold: bool) -> None:
        call, by = move
        args = (role, i) if call != "announce" else ("http://new.example" if role is Role.TRAINER else "x" * 257,)
        self.mirror.call(call, *args, sender=by(role, i), hold=hold)

    @AT_OTHER_TIMES
    @precondition(lambda self: self.model.settled_through())
    @rule(role=ROLES, i=SEATS, backs=st.lists(BACK, max_size=3))
    def claim(self, role: Role, i: int, backs: list[int]) -> None:
        self.mirror.call("claim", role, i, [self.number(back) for back in backs], sender=STRANGER)

    @AT_TIMES
    @rule(role=ROLES, i=SEATS, call=st.sampled_from(["deposit", "withdraw"]), amount=SUMS)
    def bank(self, role: Role, i: int, call: str, amount: int | None) -> None:
        """None: all that there is."""
        owner = owner_of(role, i)
        free = self.model.balance(rules.free_account(owner))
        self.mirror.call(call, free if amount is None else amount, sender=owner)


@pytest.mark.timeout(0 if DEEP else 900)
def test_the_contracts_do_what_the_model_says(ground: Ground) -> None:
    run_state_machine_as_test(
        lambda: Game(ground),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not DEEP,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert sorted(WANTED - set(Game.seen)) == []
