"""Whole committees at work on the mirrored task: everybody does what the last round asks of it, but for some."""

from __future__ import annotations

from collections.abc import Sequence

from kizuna.chain.model import RoundState
from kizuna.chain.structs import positions
from kizuna.types import DocketPhase, Phase, Role, Ruling
from support.people import KEEPER, STRANGER, People

NOBODY = 9
ALL = (1 << 64) - 1


class Play(People):
    """`but` stays away, `odd` says something else; with `hold` all of it stands in one block."""

    @property
    def last(self) -> int:
        """Number of the last round that opened, 0 before the first."""
        return len(self.model.state.rounds)

    @property
    def round(self) -> RoundState:
        """The last round."""
        return self.model.state.rounds[-1]

    def soft(self) -> list[int]:
        """Rounds that are soft and not settled."""
        return [n for n, r in enumerate(self.model.state.rounds, 1) if r.phase is Phase.CHALLENGE]

    def dockets(self, phase: DocketPhase) -> list[tuple[int, int]]:
        """(round, which) of the dockets in a phase."""
        return sorted(key for key, docket in self.model.state.dockets.items() if docket.phase is phase)

    def wait_for(self, block: int) -> None:
        """Until a call stands after `block`."""
        self.mirror.mine(max(0, block + 1 - self.mirror.next_block))

    # --- a round ---

    def open(self) -> None:
        self.mirror.call("advance", self.last + 1, sender=KEEPER)

    def commit_all(self, *, but: int = NOBODY, hold: bool = False) -> None:
        self.wait_for(self.round.seed_target)
        missing = self.round.trainers & ~self.round.committed & ~self.model.convicted(Role.TRAINER)
        for trainer in positions(missing & ~(1 << but)):
            self.commit(self.last, trainer, hold=hold)

    def attest_all(
        self, held: int = ALL, *, otherwise: int = 0, odd: int = NOBODY, but: int = NOBODY, hold: bool = False
    ) -> None:
        for seat in positions(self.round.attesters & ~self.round.attested & ~(1 << but)):
            self.attest(self.last, seat, otherwise if seat == odd else held, hold=hold)

    def seal(self, *, late: int = 0) -> None:
        self.wait_for(self.round.seal_target + late)
        self.mirror.call("advance", self.last, sender=KEEPER)

    def vote_all(
        self,
        words: Sequence[str] = ("pass",) * 4,
        *,
        otherwise: Sequence[str] = (),
        odd: int = NOBODY,
        but: int = NOBODY,
        hold: bool = False,
    ) -> None:
        for seat in positions(self.round.to_vote & ~(1 << but)):
            self.vote(self.last, seat, otherwise if seat == odd else words, hold=hold)

    def reveal_all(self, *, but: int = NOBODY, hold: bool = False) -> None:
        for seat in positions(self.round.unrevealed & ~(1 << but)):
            self.reveal(self.last, seat, hold=hold)

    # --- after it ---

    def post_all(self, number: int, *, but: int = NOBODY, hold: bool = False) -> None:
        """Evidence, once the audit beacon can be read."""
        state = self.model.state.rounds[number - 1]
        self.wait_for(state.audit_target)
        self.mirror.call("poke", number, sender=STRANGER)
        for seat in positions(state.revealed & ~state.posted & ~(1 << but)):
            self.post(number, seat, hold=hold)

    def end_challenges(self, number: int, *, late: int = 0) -> None:
        """As far as the round can go on now."""
        self.wait_for(self.model.state.rounds[number - 1].phase_end + late)
        self.mirror.call("advance", number, sender=KEEPER)

    def jury_commits(
        self,
        pattern: Sequence[Ruling],
        *,
        otherwise: Sequence[Ruling] = (),
        odd: int = NOBODY,
        but: int = NOBODY,
        hold: bool = False,
    ) -> None:
        for number, which in self.dockets(DocketPhase.JCOMMIT):
            docket = self.model.docket(number, which)
            for juror in positions(docket.jurors & ~docket.committed & ~(1 << but)):
                self.jcommit(number, which, juror, otherwise if juror == odd else pattern, hold=hold)

    def jury_reveals(self, *, but: int = NOBODY, hold: bool = False) -> None:
        for number, which in self.dockets(DocketPhase.JREVEAL):
            docket = self.model.docket(number, which)
            for juror in positions(docket.committed & ~docket.revealed & ~(1 << but)):
                self.jreveal(number, which, juror, hold=hold)
