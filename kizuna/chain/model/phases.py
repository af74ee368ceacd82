"""The phases of the model's rounds: each window counts from the last block of the one before."""

from __future__ import annotations

from kizuna import payouts
from kizuna.chain import rules
from kizuna.chain.model.court import CourtModel
from kizuna.chain.model.state import RoundState
from kizuna.chain.model.vault import refuse
from kizuna.chain.structs import TaskState, bits, positions
from kizuna.draws import DrawKind
from kizuna.types import Digest, Phase, Role

READABLE = 250
"""Blocks for which a block's hash can be read."""


class PhasesModel(CourtModel):
    """How rounds open, move on and settle."""

    # --- opening ---

    def obstacle(self) -> str:
        """Why the next round cannot open now; empty if it can."""
        p, number = self.params, self.next_round()
        trainers, verifiers = (self.ready(role).bit_count() for role in Role)
        reserve = rules.reserve(p.money, trainers=trainers, verifiers=verifiers, committee=p.committee)
        full = trainers >= p.trainer_slots and verifiers >= p.verifier_seats
        obstacles = {
            "no rounds left": number > p.rounds,
            "the round before is not soft": number > 1 and self._round(number - 1).phase < Phase.CHALLENGE,
            "evidence of the round before the last is due": number > 2 and self._evidence_due(number - 2),
            "slots are not full": number == 1 and self.now < p.start_block and not full,
            "no trainer": trainers == 0,
            "too few verifier seats": verifiers < p.min_verifier_seats,
            "escrow below the reserve": self.balance(self.escrow) < reserve,
        }
        return next((reason for reason, stands in obstacles.items() if stands), "")

    def _evidence_due(self, number: int) -> bool:
        """Whether somebody may still have to show its ballot, which the round after the next overwrites."""
        state = self._round(number)
        if state.phase is not Phase.CHALLENGE or state.audits_filed:
            return False
        awaited = state.audit is None and not self._expired(state.audit_target)
        return awaited or self.now <= state.phase_end

    def _open(self, number: int) -> None:
        self._sync(number - 2)
        self._sync(number - 1)
        if self.state.task not in (TaskState.LISTED, TaskState.RUNNING):
            refuse("Rounds_NotReadyToOpen", "task is closed")
        obstacle = self.obstacle()
        if obstacle:
            refuse("Rounds_NotReadyToOpen", obstacle)
        self.state.task = TaskState.RUNNING
        trainers, verifiers = (self.ready(role) for role in Role)
        opened = RoundState(trainers, verifiers, open_block=self.now, seed_target=self.now + 1)
        opened.phase_end = self.now + self.windows.open
        self.state.rounds.append(opened)
        reserve = rules.reserve(
            self.money,
            trainers=trainers.bit_count(),
            verifiers=verifiers.bit_count(),
            committee=self.params.committee,
        )
        self._move(self.escrow, self._pot(number), reserve)

    # --- transitions ---

    def _sync(self, number: int) -> bool:
        """Performs the transitions that are due; whether there were any."""
        if not 0 < number < self.next_round():
            return False
        steps = {
            Phase.OPEN: self._step_open,
            Phase.ATTEST: self._step_attest,
            Phase.SEAL: self._step_seal,
            Phase.VOTE: self._step_vote,
            Phase.REVEAL: self._step_reveal,
            Phase.CHALLENGE: self._step_challenge,
        }
        state, changed = self._round(number), False
        while state.phase in steps and steps[state.phase](number, state):
            changed = True
        return changed

    def _step_open(self, number: int, state: RoundState) -> bool:
        if state.seed is None:
            if self._expired(state.seed_target):
                return self._settle(number, Phase.VOID)
            state.seed = self._beacon(state.seed_target)
            if state.seed is None:
                return False
            state.attesters = self._committee(DrawKind.ATTEST, number, state.seed)
            return True
        missing = state.trainers & ~state.committed & ~self.convicted(Role.TRAINER)
        end = self._end_of(state, complete=missing == 0)
        if end is None:
            return False
        self._fine_all(Role.TRAINER, missing, self.money.missed_duty)
        if not state.committed:
            return self._settle(number, Phase.VOID)
        return self._enter(state, Phase.ATTEST, end + self.windows.attest)

    def _step_attest(self, number: int, state: RoundState) -> bool:
        all_held, silent = state.held == state.committed, state.attesters & ~state.attested
        end = self._end_of(state, complete=all_held or not silent)
        if end is None:
            return False
        if not all_held:  # whoever was spared by an early close has missed nothing
            self._fine_all(Role.VERIFIER, silent, self.money.missed_duty)
        self._fine_all(Role.TRAINER, state.committed & ~state.held, self.money.withheld)
        if not state.held:
            return self._settle(number, Phase.VOID)
        state.seal_target = end + self.windows.seal
        return self._enter(state, Phase.SEAL, state.seal_target)

    def _step_seal(self, number: int, state: RoundState) -> bool:
        if self._expired(state.seal_target):
            return self._settle(number, Phase.VOID)
        state.seal = self._beacon(state.seal_target)
        if state.seal is None:
            return False
        state.checkers = self._committee(DrawKind.CHECK, number, state.seal)
        return self._enter(state, Phase.VOTE, state.seal_target + self.windows.vote)

    def _step_vote(self, number: int, state: RoundState) -> bool:
        end = self._end_of(state, complete=not state.to_vote)
        if end is None:
            return False
        if state.unrevealed:
            return self._enter(state, Phase.REVEAL, end + self.windows.reveal)
        return self._end_reveal(number, state, end)

    def _step_reveal(self, number: int, state: RoundState) -> bool:
        end = self._end_of(state, complete=not state.unrevealed)
        return end is not None and self._end_reveal(number, state, end)

    def _end_reveal(self, number: int, state: RoundState, end: int) -> bool:
        silent = state.unrevealed
        self._fine_all(Role.VERIFIER, silent, self.money.unrevealed)
        self._fine_all(Role.VERIFIER, state.to_vote, self.money.missed_duty)
        state.lapsed |= silent
        if not self._has_quorum(state) and state.attempt == 0:
            state.attempt = 1
            state.checkers |= state.verifiers & ~self.convicted(Role.VERIFIER)
            if state.to_vote:
                return self._enter(state, Phase.VOTE, end + self.windows.vote)
        return self._soften(number, state, end)

    def _soften(self, number: int, state: RoundState, end: int) -> bool:
        """From here on the round's version is fixed, and what checkers challenged goes to court."""
        state.quorum = self._has_quorum(state)
        if state.quorum:
            state.accepted = state.held & state.passed & ~state.challenged & ~self.convicted(Role.TRAINER)
        state.audit_target = end + 2
        self._enter(state, Phase.CHALLENGE, end + self.windows.challenge)
        self._open_docket(number, 1, end)
        return True

    def _step_challenge(self, number: int, state: RoundState) -> bool:
        if state.audit is None and not state.audits_filed:
            state.audit = self._beacon(state.audit_target)
            if state.audit is not None:
                return True
            if not self._expired(state.audit_target):
                return False
        if self.now <= state.phase_end:
            return False
        if not state.audits_filed:
            state.audits_filed = True
            self._slash_silent(number, state)
            self._open_docket(number, 2, state.phase_end)
            return True
        self.poke_court(number)
        return self.closed(number) and self._settle(number, Phase.FINAL if state.quorum else Phase.VOID)

    def _slash_silent(self, number: int, state: RoundState) -> None:
        """Audited checkers that showed no evidence; where the audit beacon expired, nobody was audited."""
        if state.audit is None:
            return
        for position in positions(state.revealed & ~state.posted & ~self.convicted(Role.VERIFIER)):
            if self.audit_of(number, position)[0]:
                self._slash(Role.VERIFIER, position, bounty_to=None)

    # --- settlement ---

    def _settle(self, number: int, phase: Phase) -> bool:
        """Ends a round for good: fixes who is paid, burns what is forfeited, sets aside what can be claimed."""
        state, outcome, pot = self._round(number), self.outcome(number), self._pot(number)
        trainers = {"guilty": outcome.guilty[Role.TRAINER], "convicted": self.convicted(Role.TRAINER)}
        state.phase = phase
        trainers |= {"accepted": state.accepted, "cleared": outcome.cleared}
        state.paid = rules.paid(**trainers)
        state.forfeited = state.verifiers & self.convicted(Role.VERIFIER)
        pay = {position: self._verifier_pay(state, position) for position in positions(state.verifiers)}
        work = rules.forfeited_work(self.money, spent=outcome.spent, **trainers)
        self._burn(pot, work + sum(pay[position] for position in positions(state.forfeited)))
        owed = state.paid.bit_count() * self.money.price
        owed += sum(pay[position] for position in positions(state.verifiers & ~state.forfeited))
        self._move(pot, self.claims, owed)
        self._move(pot, self.escrow, self.balance(pot))
        return True

    def _verifier_pay(self, state: RoundState, position: int) -> int:
        marks = state.ballots[position].marks if position in state.ballots else 0
        attested = bool(state.attested >> position & 1)
        return rules.verifier_pay(self.money, committed=state.committed, attested=attested, marks=marks)

    def audit_of(self, round: int, position: int) -> tuple[bool, int, int]:
        """(audited, index of the leaf to show, leaves); for rounds whose audit beacon has been read."""
        state = self._round(round)
        assert state.audit is not None
        if position not in state.ballots:
            return False, 0, 0
        marks = state.ballots[position].marks
        return rules.audit_of(self.params, marks, task=self.task, round=round, audit=state.audit, seat=position)

    # --- helpers ---

    def _committee(self, kind: DrawKind, number: int, beacon: Digest) -> int:
        verifiers = self._round(number).verifiers
        return bits(rules.committee(kind, self.params, verifiers, task=self.task, round=number, beacon=beacon))

    def _enter(self, state: RoundState, phase: Phase, phase_end: int) -> bool:
        state.phase, state.phase_end = phase, phase_end
        return True

    def _end_of(self, state: RoundState, *, complete: bool) -> int | None:
        """The last block of a window that has ended: this one if everybody has done what was asked."""
        if self.now > state.phase_end:
            return state.phase_end
        return self.now if complete else None

    def _has_quorum(self, state: RoundState) -> bool:
        return state.revealed.bit_count() >= payouts.quorum(state.checkers.bit_count())

    def _fine_all(self, role: Role, members: int, amount: int) -> None:
        for position in positions(members):
            self._fine(role, position, amount)

    def _expired(self, target: int) -> bool:
        return self.now > target + READABLE

    def _beacon(self, target: int) -> Digest | None:
        """The hash of a block, if it can be read now."""
        return self.block_hash(target) if target < self.now <= target + READABLE else None
