"""Rounds of the model: what may be called when, and the phases that follow from block numbers."""

from __future__ import annotations

from collections.abc import Sequence

from kizuna import index_tree, payouts
from kizuna.chain import rules
from kizuna.chain.hashes import ballot_hash
from kizuna.chain.model.phases import PhasesModel
from kizuna.chain.model.state import RoundState
from kizuna.chain.model.vault import refuse
from kizuna.chain.structs import Ballot, bits
from kizuna.hashing import keccak
from kizuna.types import ZERO_DIGEST, Digest, Mark, Phase, Role

NO_VERSIONS = (ZERO_DIGEST, Digest((1).to_bytes(32, "big")))
"""What counts as no report."""


class RoundsModel(PhasesModel):
    """Every call first performs the transitions that are due, and performs what it made due."""

    # --- calls ---

    def advance(self, round: int) -> None:
        if not 0 < round <= self.next_round():
            refuse("Rounds_NotReadyToOpen", "not the next round")
        if round == self.next_round():
            self._open(round)
        elif not self._sync(round):
            refuse("Rounds_NothingDue")
        self._tip(round)

    def poke(self, round: int) -> None:
        self._sync(round)

    def commit(self, round: int, manifest: Digest, receipt_root: Digest, leaf_root: Digest) -> None:
        state = self._known(round)
        # Not all that is due: where only convicts have not committed, OPEN goes on until another call ends it.
        if state and (self.now > state.phase_end or state.seed is None):
            self._sync(round)
        if state is None or state.phase is not Phase.OPEN or state.seed is None:
            refuse("Rounds_WrongPhase")
        role, position = self._slot_of_sender()
        if role is not Role.TRAINER or not (state.trainers & ~self.convicted(role)) >> position & 1:
            refuse("Rounds_NotMember")
        if position in state.commitments:
            refuse("Rounds_AlreadyDone")
        state.commitments[position] = Digest(keccak(manifest + receipt_root + leaf_root))
        self._sync(round)

    def attest(self, round: int, held: int) -> None:
        state = self._in_phase(round, Phase.ATTEST)
        position = self._member(state.attesters, state.attested)
        state.attested |= 1 << position
        state.attestations.update(p for p in state.commitments if held >> p & 1)
        quorum = payouts.quorum(self.params.committee)
        state.held = bits([p for p, count in state.attestations.items() if count >= quorum])
        self._sync(round)

    def vote(self, round: int, hash: Digest) -> None:
        state = self._in_phase(round, Phase.VOTE)
        position = self._member(state.checkers, state.voted)
        if hash == ZERO_DIGEST:
            refuse("Rounds_BallotMismatch")
        state.voted |= 1 << position
        state.votes[position] = hash
        self._sync(round)

    def reveal(self, round: int, ballot: Ballot) -> None:
        state = self._in_phase(round, Phase.REVEAL)
        role, position = self._slot_of_sender()
        if role is not Role.VERIFIER or not state.voted >> position & 1:
            refuse("Rounds_NotMember")
        if (state.revealed | state.lapsed) >> position & 1:
            refuse("Rounds_AlreadyDone")
        if state.votes[position] != self._ballot_hash(round, ballot):
            refuse("Rounds_BallotMismatch")
        self._check_ballot(round, position, ballot)
        state.ballots[position] = ballot
        state.revealed |= 1 << position
        state.passed |= bits(rules.marked(ballot.marks, Mark.PASS))
        state.challenged |= bits(rules.marked(ballot.marks, Mark.CHALLENGE))
        if round > 1:
            self._report(self._round(round - 1), ballot.previous_version, seats=self.params.committee)
        self._open_secret(position, round, ballot.secret)
        convicts = self.convicted(Role.TRAINER)
        for challenge in ballot.challenges:
            if not convicts >> challenge.slot & 1:  # a convict is beyond challenge
                self._file(round, position, challenge)
        self._sync(round)

    def post_evidence(self, round: int, ballot: Ballot, leaf: bytes, proof: Sequence[bytes]) -> None:
        state = self._in_phase(round, Phase.CHALLENGE)
        if self.now > state.phase_end or state.audit is None:
            refuse("Rounds_WrongPhase")
        role, position = self._slot_of_sender()
        if role is not Role.VERIFIER:
            refuse("Rounds_NotMember")
        if state.posted >> position & 1:
            refuse("Rounds_AlreadyDone")
        audited, index, leaves = self.audit_of(round, position)
        if not audited:
            refuse("Rounds_NotAudited")
        if state.votes[position] != self._ballot_hash(round, ballot):
            refuse("Rounds_BallotMismatch")
        fault = rules.evidence_fault(
            self.params, leaf,
            task=self.task, round=round, seat=position, marks=ballot.marks, index=index, operator=self.sender,
        )  # fmt: skip
        if fault is None and not index_tree.verify(ballot.evidence_root, leaves, index, leaf, proof):
            fault = "proof"
        if fault is not None:
            refuse("Rounds_BadEvidence", fault)
        state.posted |= 1 << position
        self._file_audit(round, position, index, Digest(keccak(leaf)))

    def report_head(self, version: Digest) -> None:
        last = len(self.state.rounds)
        self._sync(last)
        state = self._known(last)
        if state is None or last != self.params.rounds or state.phase < Phase.CHALLENGE:
            refuse("Rounds_WrongPhase")
        role, position = self._slot_of_sender()
        if role is not Role.VERIFIER or not state.verifiers >> position & 1:
            refuse("Rounds_NotMember")
        if self.state.head_reported >> position & 1:
            refuse("Rounds_AlreadyDone")
        self.state.head_reported |= 1 << position
        self._report(state, version, seats=state.verifiers.bit_count())

    def claim(self, role: Role, position: int, rounds: Sequence[int]) -> None:
        for round in rounds:
            self._sync(round)
            state = self._known(round)
            if state is None or not state.settled:
                refuse("Rounds_WrongPhase")
            due = self.due(role, position, round)
            if due:
                owner = self.state.slots[role][position].owner
                state.claimed[role] |= 1 << position
                self._move(self.claims, rules.free_account(owner), due)

    # --- views ---

    def due(self, role: Role, position: int, round: int) -> int:
        """What `claim` would move for one round."""
        state = self._round(round)
        if not state.settled or state.claimed[role] >> position & 1:
            return 0
        if role is Role.TRAINER:
            return self.money.price if state.paid >> position & 1 else 0
        return 0 if state.forfeited >> position & 1 else self._verifier_pay(state, position)

    # --- inside ---

    def _known(self, round: int) -> RoundState | None:
        return self._round(round) if 0 < round < self.next_round() else None

    def _in_phase(self, round: int, phase: Phase) -> RoundState:
        """The round with everything performed that is due, if it is in `phase`."""
        self._sync(round)
        state = self._known(round)
        if state is None or state.phase is not phase:
            refuse("Rounds_WrongPhase")
        return state

    def _member(self, members: int, done: int) -> int:
        """The sender's position: a verifier among `members` that has not `done` its part."""
        role, position = self._slot_of_sender()
        if role is not Role.VERIFIER or not members >> position & 1:
            refuse("Rounds_NotMember")
        if done >> position & 1:
            refuse("Rounds_AlreadyDone")
        return position

    def _ballot_hash(self, round: int, ballot: Ballot) -> Digest:
        where = self.where
        return ballot_hash(
            ballot, chain_id=where.chain_id, rounds=where.rounds, task=self.task, round=round, voter=self.sender
        )

    def _check_ballot(self, round: int, position: int, ballot: Ballot) -> None:
        state = self._round(round)
        assert state.seal is not None
        if not rules.marks_allowed(ballot.marks, held=state.held, own=self.own_trainers(position)):
            refuse("Rounds_BadMarks")
        source = {"task": self.task, "round": round, "seal": state.seal, "secret": ballot.secret, "seat": position}
        for challenge in ballot.challenges:
            fault = rules.challenge_fault(self.params, challenge, **source)  # type: ignore[arg-type]
            if fault is not None:
                refuse("Rounds_BadChallenge", fault)
        if bits([c.slot for c in ballot.challenges]) != bits(rules.marked(ballot.marks, Mark.CHALLENGE)):
            refuse("Rounds_BadMarks")

    def _report(self, state: RoundState, version: Digest, *, seats: int) -> None:
        if state.version != ZERO_DIGEST or version in NO_VERSIONS:
            return
        state.reports[version] += 1
        if state.reports[version] >= payouts.quorum(seats):
            state.version = version
