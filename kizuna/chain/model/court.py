"""The court of the model: dockets, juries, and what follows from their rulings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kizuna import payouts
from kizuna.chain import rules
from kizuna.chain.hashes import juror_hash
from kizuna.chain.model.slots import SlotsModel
from kizuna.chain.model.state import DisputeState, DocketState, Outcome, RoundState
from kizuna.chain.model.vault import refuse
from kizuna.chain.structs import Challenge, positions
from kizuna.types import Check, Digest, DocketPhase, Role, Ruling


@dataclass(slots=True)
class Trial:
    """All items of a docket against one seat."""

    role: Role
    accused: int
    items: list[DisputeState] = field(default_factory=list)

    def challengers(self, *rulings: Ruling) -> set[int]:
        """Those of the items that were ruled so; of all items without `rulings`."""
        return {c for item in self.items for c in item.challengers if not rulings or item.ruling in rulings}

    @property
    def gross(self) -> bool:
        return any(item.ruling is Ruling.GUILTY_GROSS for item in self.items)

    @property
    def guilty(self) -> bool:
        return any(rules.guilty(item.ruling) for item in self.items)

    @property
    def clean(self) -> bool:
        return all(item.ruling is Ruling.CLEAN for item in self.items)

    @property
    def winners(self) -> set[int]:
        return self.challengers(Ruling.GUILTY_LONE, Ruling.GUILTY_GROSS)

    @property
    def losers(self) -> set[int]:
        return self.challengers(Ruling.CLEAN) - self.winners


class CourtModel(SlotsModel):
    """Docket 1 of a round holds challenges, docket 2 audits."""

    # --- calls ---

    def jcommit(self, round: int, number: int, hash: Digest) -> None:
        docket = self._in_session(round, number, DocketPhase.JCOMMIT)
        juror = self._juror(docket)
        if juror in docket.hashes:
            refuse("Court_AlreadyDone")
        docket.hashes[juror] = hash
        self._sync_docket(round, number)

    def jreveal(
        self, round: int, number: int, rulings: Sequence[Ruling], results: Sequence[Digest], salt: Digest
    ) -> None:
        docket = self._in_session(round, number, DocketPhase.JREVEAL)
        juror = self._juror(docket)
        if juror in docket.rulings:
            refuse("Court_AlreadyDone")
        if docket.hashes.get(juror) != self._juror_hash(round, number, rulings, results, salt):
            refuse("Court_JurorMismatch")
        if not len(rulings) == len(results) == len(docket.disputes) or Ruling.HUNG in rulings:
            refuse("Court_BadRulings")
        docket.rulings[juror] = tuple(rulings)
        self._sync_docket(round, number)

    def advance_docket(self, round: int, number: int) -> None:
        if not self._sync_docket(round, number):
            refuse("Court_NothingDue")
        self._tip(round)

    def poke_court(self, round: int) -> None:
        self._sync_docket(round, 1)
        self._sync_docket(round, 2)

    # --- views ---

    def docket(self, round: int, number: int) -> DocketState:
        return self.state.dockets.setdefault((round, number), DocketState())

    def outcome(self, round: int) -> Outcome:
        return self.state.outcomes.setdefault(round, Outcome())

    def closed(self, round: int) -> bool:
        return all(self.docket(round, number).phase is DocketPhase.CLOSED for number in (1, 2))

    def bond_for(self, round: int) -> int:
        return rules.bond(self.money, verifiers=self._round(round).verifiers.bit_count())

    def jury(self, docket: DocketState, dispute: DisputeState, seats: int | None = None) -> int:
        """Who of `seats`, by default the docket's jurors, may sit on a dispute."""
        accused = dispute.item.slot if dispute.role is Role.VERIFIER else None
        first = dispute.challengers[0] if dispute.challengers else None
        return rules.eligible(docket.jurors if seats is None else seats, accused=accused, challenger=first)

    # --- filing ---

    def _file(self, round: int, challenger: int, challenge: Challenge) -> None:
        docket = self.docket(round, 1)
        same = (d for d in docket.disputes if _question(d.item) == _question(challenge))
        dispute = next(same, None)
        if dispute is None:
            if len(docket.disputes) == rules.MAX_DISPUTES:
                refuse("Court_DocketFull")
            dispute = DisputeState(Role.TRAINER, challenge)
            docket.disputes.append(dispute)
        if challenger not in dispute.challengers:
            dispute.challengers.append(challenger)
        self._take_bond(round, challenger, challenge.slot)

    def _file_audit(self, round: int, accused: int, index: int, leaf_hash: Digest) -> None:
        docket = self.docket(round, 2)
        if len(docket.disputes) < rules.MAX_DISPUTES:
            item = Challenge(accused, Check.EVIDENCE, index, leaf_hash)
            docket.disputes.append(DisputeState(Role.VERIFIER, item))

    def _take_bond(self, round: int, challenger: int, accused: int) -> None:
        """One bond per challenger and accused seat: out of the free balance, then of the stake above a slash."""
        if (round, challenger, accused) in self.state.bonds:
            return
        amount = self.bond_for(round)
        purse, stake = self._purse(challenger), self._stake(Role.VERIFIER, challenger)
        sources = rules.bond_sources(
            amount, free=self.balance(purse), stake=self.balance(stake), slash=self.money.verifier_slash
        )
        if sources is None:
            refuse("Court_BondUncovered")
        self.state.bonds[round, challenger, accused] = amount
        for account, part in zip((purse, stake), sources, strict=True):
            self._move(account, self._docket_pot(round, 1), part)

    def _open_docket(self, round: int, number: int, opening: int) -> None:
        """`opening`: the last block of the phase before."""
        docket = self.docket(round, number)
        seats = self._round(round).verifiers & ~self.convicted(Role.VERIFIER)
        for dispute in docket.disputes:
            docket.jurors |= self.jury(docket, dispute, seats)
        if docket.disputes:
            docket.phase, docket.phase_end = DocketPhase.JCOMMIT, opening + self.windows.jcommit
        else:
            docket.phase = DocketPhase.CLOSED

    # --- closing ---

    def _sync_docket(self, round: int, number: int) -> bool:
        """Performs the transitions that are due; whether there were any."""
        docket, changed = self.docket(round, number), False
        if docket.phase is DocketPhase.JCOMMIT and (self.now > docket.phase_end or docket.committed == docket.jurors):
            end = min(docket.phase_end, self.now)
            docket.phase, docket.phase_end = DocketPhase.JREVEAL, end + self.windows.jreveal
            changed = True
        if docket.phase is DocketPhase.JREVEAL and (self.now > docket.phase_end or docket.revealed == docket.committed):
            docket.phase = DocketPhase.CLOSED
            self._judge(round, number)
            for absent in positions(docket.jurors & ~docket.revealed):
                self._fine(Role.VERIFIER, absent, self.money.missed_duty)
            changed = True
        return changed

    def _judge(self, round: int, number: int) -> None:
        docket = self.docket(round, number)
        trials: dict[tuple[Role, int], Trial] = {}
        for i, dispute in enumerate(docket.disputes):
            jury = self.jury(docket, dispute)
            given = [docket.rulings[juror][i] for juror in positions(jury & docket.revealed)]
            dispute.ruling = rules.ruling_of(dispute.item.check, given, jury.bit_count())
            accused = dispute.role, dispute.item.slot
            trials.setdefault(accused, Trial(*accused)).items.append(dispute)
        for trial in trials.values():
            self._conclude(round, number, trial)

    def _conclude(self, round: int, number: int, trial: Trial) -> None:
        outcome, pot = self.outcome(round), self._docket_pot(round, number)
        if trial.guilty:
            outcome.guilty[trial.role] |= 1 << trial.accused
            self._punish(round, trial, pot)
        elif trial.clean and trial.role is Role.TRAINER:
            outcome.cleared |= 1 << trial.accused
        forfeited = self._settle_bonds(round, trial, pot)
        from_reserve = self._pay_jury(round, self.docket(round, number), trial, pot, forfeited)
        if trial.guilty and trial.role is Role.TRAINER:
            outcome.spent += min(from_reserve, self.money.price)  # a convict's own price pays for its jury

    def _punish(self, round: int, trial: Trial, pot: Digest) -> None:
        """A slash for anything gross or for the third strike; once per seat."""
        if self.convicted(trial.role) >> trial.accused & 1:
            return
        if not trial.gross and not self._strike(trial.role, trial.accused, round):
            return
        winners = trial.winners
        bounty = self._slash(trial.role, trial.accused, bounty_to=pot if winners else None)
        each, dust = payouts.split(bounty, len(winners))
        for winner in winners:
            self._move(pot, self._purse(winner), each)
        self._burn(pot, dust)

    def _settle_bonds(self, round: int, trial: Trial, pot: Digest) -> int:
        """Bonds go back, but for those lost; what is left of these for the jury."""
        forfeited = 0
        for challenger in sorted(trial.challengers()):
            bond = self.state.bonds[round, challenger, trial.accused]
            if challenger not in trial.losers:
                self._move(pot, self._purse(challenger), bond)
                continue
            if trial.clean:
                owner = self.state.slots[trial.role][trial.accused].owner
                self._move(pot, rules.free_account(owner), self.money.cleared)
                bond -= self.money.cleared
            forfeited += bond
            self._eject(Role.VERIFIER, challenger)
        return forfeited

    def _pay_jury(self, round: int, docket: DocketState, trial: Trial, pot: Digest, forfeited: int) -> int:
        """One fee per seat tried to whoever ruled as the docket did on all its items; what the round's reserve paid."""
        from_reserve = 0
        for juror in self._agreeing(docket, trial):
            from_bonds = min(forfeited, self.money.juror_fee)
            forfeited -= from_bonds
            from_reserve += self.money.juror_fee - from_bonds
            self._move(pot, self._purse(juror), from_bonds)
            self._move(self._pot(round), self._purse(juror), self.money.juror_fee - from_bonds)
        self._burn(pot, forfeited)
        return from_reserve

    def _agreeing(self, docket: DocketState, trial: Trial) -> Iterator[int]:
        for juror in positions(docket.revealed):
            sat = [
                (docket.rulings[juror][i], dispute.ruling)
                for i, dispute in enumerate(docket.disputes)
                if dispute in trial.items and self.jury(docket, dispute) >> juror & 1
            ]
            if sat and all(rules.agrees(own, decided) for own, decided in sat):
                yield juror

    # --- inside ---

    def _in_session(self, round: int, number: int, phase: DocketPhase) -> DocketState:
        """The docket with everything performed that is due, if it is in `phase`."""
        docket = self.docket(round, number)
        # A docket that nobody may sit on goes on with any other call but its jurors'.
        if docket.phase is not phase or self.now > docket.phase_end:
            self._sync_docket(round, number)
        if docket.phase is not phase:
            refuse("Court_WrongPhase")
        return docket

    def _juror(self, docket: DocketState) -> int:
        role, position = self._slot_of_sender()
        if role is not Role.VERIFIER or not docket.jurors >> position & 1:
            refuse("Court_NotJuror")
        return position

    def _juror_hash(
        self, round: int, number: int, rulings: Sequence[Ruling], results: Sequence[Digest], salt: Digest
    ) -> Digest:
        where = self.where
        return juror_hash(
            rulings, results, salt,
            chain_id=where.chain_id, court=where.court, task=self.task, round=round, docket=number, juror=self.sender,
        )  # fmt: skip

    def _purse(self, verifier: int) -> Digest:
        return rules.free_account(self.state.slots[Role.VERIFIER][verifier].owner)

    def _pot(self, round: int) -> Digest:
        return rules.pot_account(self.task, round)

    def _docket_pot(self, round: int, number: int) -> Digest:
        return rules.docket_account(self.task, round, number)

    def _round(self, round: int) -> RoundState:
        return self.state.rounds[round - 1]

    def _tip(self, round: int) -> None:
        """Pays the caller while tips are left, out of the pot or the escrow that what is left of it went back to."""
        state = self._round(round)
        if state.tips < rules.TIPS:
            state.tips += 1
            source = self.escrow if state.settled else self._pot(round)
            self._move(source, rules.free_account(self.sender), self.money.tip)


def _question(challenge: Challenge) -> tuple[int, Check, int]:
    return challenge.slot, challenge.check, challenge.item
