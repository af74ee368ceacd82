"""A seat on juries: one dispute at a time, then the hidden rulings, then the open ones."""

from __future__ import annotations

from dataclasses import dataclass, field

from kizuna.chain.client import Pinned
from kizuna.chain.structs import Dispute
from kizuna.errors import ChainError, StoreError, StoreFull
from kizuna.node.agent import Node
from kizuna.types import Check, Role, Ruling
from verifier.cases import Cases
from verifier.duties import Duty
from verifier.evidence import Seat
from verifier.jury import NO_OPINION, Opinion, Rulings, concluded, judge, judge_evidence, may_sit, shown_item

MARGIN = 3
"""Blocks before a deadline at which waiting for bytes ends, so that the call still finds a block."""

RETRY_BLOCKS = 3
"""Blocks between two looks at what is not served, in which other work gets its turn."""


@dataclass(slots=True)
class Bench:
    """The disputes a seat has an opinion on so far. A lazy one finds everything clean."""

    node: Node
    cases: Cases
    rulings: Rulings
    is_lazy: bool = False
    _opinions: dict[tuple[int, int], dict[int, Opinion]] = field(default_factory=dict)
    _look_again: dict[tuple[int, int, int], int] = field(default_factory=dict)  # block, by dispute
    _longest: int = 1  # blocks that one dispute has taken

    def commit(self, chain: Pinned, duty: Duty, position: int) -> None:
        """Judges until the next block, and sends the rulings once all are made or time is short."""
        opinions = self.rulings.load(duty.round, duty.docket)
        if opinions is None:
            opinions = self._judge(chain, duty, position)
            if opinions is None:
                return
            self.rulings.save(duty.round, duty.docket, opinions)
        where = {"rulings": [o.ruling for o in opinions], "results": [o.result for o in opinions]}
        salt = self.node.secret("jury", duty.round, duty.docket)
        task, who = self.node.task, self.node.account.address
        hidden = chain.juror_hash(task, duty.round, duty.docket, who, salt=salt, **where)  # type: ignore[arg-type]
        self.node.chain.jcommit(task, duty.round, duty.docket, hidden, deadline_block=duty.deadline)
        told = zip(chain.disputes(task, duty.round, duty.docket), opinions, strict=True)
        names = ", ".join(f"{d.role.name.lower()} {d.accused} {d.check.name} {o.ruling.name}" for d, o in told)
        self.node.say(f"docket {duty.docket}: {names}", round=duty.round)

    def reveal(self, duty: Duty) -> None:
        """Opens the rulings. Raises StoreError where they are not on this disk."""
        opinions = self.rulings.load(duty.round, duty.docket)
        if opinions is None:
            raise StoreError(f"the rulings on docket {duty.docket} of round {duty.round} are not on this disk")
        self.node.chain.jreveal(
            self.node.task,
            duty.round,
            duty.docket,
            rulings=[o.ruling for o in opinions],
            results=[o.result for o in opinions],
            salt=self.node.secret("jury", duty.round, duty.docket),
            deadline_block=duty.deadline,
        )

    def forget(self, settled: int) -> None:
        """Drops what belongs to settled rounds."""
        self._opinions = {key: known for key, known in self._opinions.items() if key[0] > settled}
        self._look_again = {key: block for key, block in self._look_again.items() if key[0] > settled}

    def _judge(self, chain: Pinned, duty: Duty, position: int) -> tuple[Opinion, ...] | None:
        """All opinions in order; None while there is time and something left to do. NONE for what was not finished."""
        known = self._opinions.setdefault((duty.round, duty.docket), {})
        disputes = chain.disputes(self.node.task, duty.round, duty.docket)
        for i, dispute in enumerate(disputes):
            now = self.node.chain.block.number
            if i in known and (not known[i].waiting or now < self._look_again[duty.round, duty.docket, i]):
                continue
            if duty.deadline - now <= MARGIN + self._longest or self.node.stop.is_set():
                break
            if now > chain.block.number:
                return None  # a new block may have brought something more urgent
            known[i] = self._opinion(chain, duty.round, dispute, position)
            self._look_again[duty.round, duty.docket, i] = now + RETRY_BLOCKS
            self._longest = max(1, self._longest - 1, self.node.chain.block.number - now)
        is_open = len(known) < len(disputes) or any(opinion.waiting for opinion in known.values())
        if self.node.stop.is_set() or (
            is_open and duty.deadline - self.node.chain.block.number > MARGIN + self._longest
        ):
            return None
        answer = self.cases.mirrors_answer() if any(opinion.waiting for opinion in known.values()) else True
        return tuple(concluded(known.get(i, NO_OPINION), mirrors_answer=answer) for i in range(len(disputes)))

    def _opinion(self, chain: Pinned, round: int, dispute: Dispute, position: int) -> Opinion:
        if not may_sit(dispute, position):
            return NO_OPINION
        if self.is_lazy:
            return Opinion(Ruling.CLEAN)
        try:
            return self._examined(chain, round, dispute)
        except StoreFull:
            raise
        except StoreError:
            return Opinion(Ruling.NONE, waiting=True)  # the round's base cannot be had now
        except ChainError:
            raise
        except Exception as error:
            # Whatever a stranger's bytes can still provoke must not end the node; it has other disputes to judge.
            self.node.say(f"{dispute.check.name} cannot be judged: {type(error).__name__}: {error}", round=round)
            return NO_OPINION

    def _examined(self, chain: Pinned, round: int, dispute: Dispute) -> Opinion:
        if dispute.check is Check.EVIDENCE:
            return self._examined_evidence(chain, round, dispute)
        if dispute.check is not Check.AVAILABLE:
            return judge(dispute, self.cases.of(chain, round, dispute.accused))
        # Served means on a mirror, whatever this node happens to hold.
        with self.cases.as_mirrored(chain, round, dispute.accused) as case:
            return judge(dispute, case)

    def _examined_evidence(self, chain: Pinned, round: int, dispute: Dispute) -> Opinion:
        task, params = self.node.task, self.node.params
        ballot = chain.ballots(task, round)[dispute.accused]
        seat = Seat(
            task=task,
            round=round,
            position=dispute.accused,
            operator=chain.slot(task, Role.VERIFIER, dispute.accused).operator,
            seal=chain.round(task, round).seal,
            secret=ballot.secret,
        )
        item = shown_item(seat, params, ballot, dispute.item)
        return judge_evidence(dispute, seat, params, item, self.cases.of(chain, round, item.slot))
