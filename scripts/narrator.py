"""Tells a task's life from the chain's events, a line for whatever happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console

from kizuna.chain import EventLog, Kizuna, rules
from kizuna.chain import events as said
from kizuna.chain.events import Event
from kizuna.chain.structs import positions
from kizuna.task import TOKEN
from kizuna.types import Mark, Phase, Role

METERED = (
    said.Committed,
    said.Attested,
    said.Voted,
    said.Revealed,
    said.EvidencePosted,
    said.JurorCommitted,
    said.JurorRevealed,
    said.Claimed,
)
"""Events that stand for one call each; `mean_gas` reports on their transactions."""


@dataclass(slots=True)
class Narrator:
    """Follows one task and prints. `names` are those of the slots' owners, by address."""

    chain: Kizuna
    console: Console
    task: int
    names: dict[str, str]
    events: list[Event] = field(default_factory=list)
    round: int = 0
    phase: Phase = Phase.NONE
    gas: int = 0
    _log: EventLog | None = None
    _seats: dict[tuple[Role, int], str] = field(default_factory=dict)
    _paid: dict[bytes, int] = field(default_factory=dict)  # gas, by transaction

    def tell(self) -> None:
        """Prints what has happened since the last call. Raises ChainError."""
        if self._log is None:
            self._log = self.chain.event_log()
        for event in self._log.poll():
            self.events.append(event)
            if getattr(event, "task", self.task) != self.task:
                continue
            self._meter(event)
            for line, style in self._lines(event):
                where = f"block {event.at.block:4}  round {getattr(event, 'round', 0)}  "
                self.console.print(where + line, style=style, markup=False, highlight=False)

    def mean_gas(self) -> str:
        """Mean gas of the transactions that made each kind of call."""
        sums: dict[str, list[int]] = {}
        for event in self.events:
            if isinstance(event, METERED) and event.at.transaction in self._paid:
                sums.setdefault(type(event).__name__, []).append(self._paid[event.at.transaction])
        return ", ".join(f"{kind} {sum(used) // len(used):,}" for kind, used in sums.items())

    def _meter(self, event: Event) -> None:
        if event.at.transaction not in self._paid:
            receipt = self.chain.rpc.receipt(event.at.transaction)
            self._paid[event.at.transaction] = used = 0 if receipt is None else receipt.gas_used
            self.gas += used

    def _lines(self, event: Event) -> Iterator[tuple[str, str]]:
        match event:
            case said.Joined():
                self._seats[event.role, event.position] = self.names.get(event.owner, event.owner)
            case said.RoundOpened():
                self.round, self.phase = event.round, Phase.OPEN
                yield f"OPEN       {self._who(Role.TRAINER, event.trainers)} train", "bold"
            case said.PhaseChanged():
                if event.round == self.round:
                    self.phase = event.phase
            case said.CommitteeDrawn():
                task = "SEAL       checkers drawn" if event.kind else "OPEN       attesters drawn"
                yield f"{task}: {self._who(Role.VERIFIER, event.members)}", ""
            case said.Committed():
                yield f"OPEN       {self._name(Role.TRAINER, event.position)} commits {event.manifest.hex()[:12]}", ""
            case said.Revealed():
                yield f"REVEAL     {self._ballot(event)}", ""
            case said.Soft():
                yield f"SOFT       merged: {self._who(Role.TRAINER, event.accepted) or 'nobody'}", ""
            case said.VersionRecorded():
                yield f"           a quorum computed version {event.version.hex()[:12]}", ""
            case said.Disputed():
                accused = self._name(event.role, event.accused)
                yield f"CHALLENGE  docket {event.docket}: {accused}, {event.check.name} {event.item}", "yellow"
            case said.Ruled():
                accused = self._name(event.role, event.accused)
                yield f"CHALLENGE  jury: {accused}, {event.check.name} {event.item}: {event.ruling.name}", ""
            case said.Fined():
                name, taken = self._name(event.role, event.position), event.taken / TOKEN
                yield f"           {name} is fined {taken:.3f} for not doing: {event.duty}", "yellow"
            case said.Slashed():
                name, taken = self._name(event.role, event.position), event.taken / TOKEN
                yield (
                    f"           {name} is slashed {taken:.3f}, of which {event.bounty / TOKEN:.3f} is a bounty",
                    "red",
                )
            case said.Finalised():
                paid = self._who(Role.TRAINER, event.paid) or "nobody"
                yield f"{event.phase.name:9}  paid: {paid}; gas of the task so far {self.gas / 1e6:.1f} M", ""

    def _ballot(self, event: said.Revealed) -> str:
        passed = self._who(Role.TRAINER, bitmap(event.ballot.marks, Mark.PASS))
        charges = [f"{self._name(Role.TRAINER, c.slot)} for {c.check.name} {c.item}" for c in event.ballot.challenges]
        accuses = f"; challenges {', '.join(charges)}" if charges else ""
        return f"{self._name(Role.VERIFIER, event.position)} passes {passed or 'nobody'}{accuses}"

    def _who(self, role: Role, seats: int) -> str:
        return " ".join(self._name(role, position) for position in positions(seats))

    def _name(self, role: Role, position: int) -> str:
        return self._seats.get((role, position), f"{role.name.lower()} {position}")


def bitmap(marks: int, mark: Mark) -> int:
    """The trainer positions with a mark, as a set."""
    return sum(1 << position for position in rules.marked(marks, mark))
