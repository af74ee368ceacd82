"""A checker's work of one round: run what its secret drew of every contribution, mark, challenge, keep evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kizuna.chain.structs import TaskParams
from kizuna.errors import StoreFull
from kizuna.hashing import keccak
from kizuna.types import Check, Finding, Mark, Reason
from verifier.checks import Case, check_encode, check_rollout, check_segment, check_update
from verifier.evidence import Item, Seat, all_items, items, leaf, show_rollout, sketch_of


@dataclass(frozen=True, slots=True)
class Examination:
    """What a checker found: a mark for each slot, challenges, and the evidence for what it passed."""

    marks: dict[int, Mark]
    findings: dict[int, Finding]
    leaves: tuple[bytes, ...]


@dataclass(slots=True)
class Examiner:
    """One seat's examination of `slots`, one stage of one slot at a time: between any two it can be put aside.

    The stages of a slot are the checks of the whole and then each drawn item, so none takes longer than re-running
    one segment.
    """

    seat: Seat
    params: TaskParams
    slots: tuple[int, ...]
    say: Callable[[str], None]
    _leaves: dict[int, list[bytes]] = field(default_factory=dict)  # of what is begun
    _outcomes: dict[int, Finding | tuple[bytes, ...] | None] = field(default_factory=dict)

    def todo(self) -> tuple[int, ...]:
        """Unfinished slots. Seats begin in different places: in want of time they share the work."""
        first = self.seat.position % max(1, len(self.slots))
        return tuple(slot for slot in self.slots[first:] + self.slots[:first] if slot not in self._outcomes)

    def unserved(self) -> tuple[int, ...]:
        """Slots of which something was not served when it was asked for."""
        return tuple(slot for slot, found in self._outcomes.items() if is_unserved(found))

    def look(self, slot: int, case: Case | Finding) -> None:
        """The next stage of a slot; one in which something was not served is done again. A fault ends the work."""
        try:
            found = case if isinstance(case, Finding) else self._stage(slot, case)
        except StoreFull:
            raise
        except Exception as error:
            # Whatever a stranger's bytes can still provoke must not end the node: it has other slots to examine.
            self.say(f"slot {slot} cannot be examined: {type(error).__name__}: {error}")
            self._outcomes[slot] = None
            return
        if found is None:
            self._outcomes.pop(slot, None)  # what was not served before is there now
            return
        self._outcomes[slot] = found
        if isinstance(found, Finding) and not is_unserved(found):
            self.say(f"slot {slot} fails {found.check.name} {found.item}: {found.reason} ({found.detail})")

    def result(self, *, blame_unserved: bool = True) -> Examination:
        """Marks for what was examined; SKIP, which is no mark, for the rest, and for what was not served if so told."""
        marks: dict[int, Mark] = {}
        findings: dict[int, Finding] = {}
        leaves: list[bytes] = []
        for slot, found in sorted(self._outcomes.items(), key=lambda entry: entry[0]):
            if found is None or (is_unserved(found) and not blame_unserved):
                continue
            if isinstance(found, Finding):
                marks[slot], findings[slot] = Mark.CHALLENGE, found
            else:
                marks[slot] = Mark.PASS
                leaves += found
        return Examination(marks, findings, tuple(leaves))

    def _stage(self, slot: int, case: Case) -> Finding | tuple[bytes, ...] | None:
        """A fault, all leaves if this was the last stage, else None."""
        if slot not in self._leaves:
            fault = check_update(case) or check_encode(case)
            if fault is None:
                self._leaves[slot] = []
            return fault
        drawn, leaves = items(self.seat, self.params, slot), self._leaves[slot]
        item = drawn[len(leaves)]
        shown = _examine_item(self.seat, self.params, case, item)
        if isinstance(shown, Finding):
            return shown
        leaves.append(leaf(self.seat, item, shown))
        return tuple(leaves) if len(leaves) == len(drawn) else None


def is_unserved(found: object) -> bool:
    """Whether this is a fault that may be gone at the next look."""
    return isinstance(found, Finding) and found.reason is Reason.UNAVAILABLE


def _examine_item(seat: Seat, params: TaskParams, case: Case, item: Item) -> bytes | Finding:
    if item.check is Check.SEGMENT:
        sketch = sketch_of(seat, params, case, item)
        return check_segment(case, item.number, sketch) or sketch.evidence()
    return check_rollout(case, item.number) or show_rollout(seat, params, case, item)


def lazy(seat: Seat, params: TaskParams, slots: tuple[int, ...]) -> Examination:
    """What a verifier hands in that did nothing: PASS for all, and evidence of the right shape (for demonstrations)."""
    leaves = tuple(
        leaf(seat, item, keccak(bytes([item.slot, item.number & 255])) * 4) for item in all_items(seat, params, slots)
    )
    return Examination(dict.fromkeys(slots, Mark.PASS), {}, leaves)
