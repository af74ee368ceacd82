"""A checker's work of one round: run what its secret drew of every contribution, mark, challenge, keep evidence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from kizuna import index_tree
from kizuna.chain import rules
from kizuna.chain.structs import Ballot, Challenge, TaskParams
from kizuna.hashing import keccak
from kizuna.types import Check, Digest, Finding, Mark
from verifier.checks import Case, check_encode, check_rollout, check_segment, check_update, result_digest
from verifier.evidence import Item, Seat, all_items, items, leaf, show_rollout, sketch_of


@dataclass(frozen=True, slots=True)
class Examination:
    """What a checker found: a mark for each slot, challenges, and the evidence for what it passed."""

    marks: dict[int, Mark]
    findings: dict[int, Finding]
    leaves: tuple[bytes, ...]


def examine(
    seat: Seat,
    params: TaskParams,
    slots: tuple[int, ...],
    case_of: Callable[[int], Case | Finding],
    *,
    say: Callable[[str], None],
) -> Examination:
    """Examines every slot. A fault ends the work on its slot: one is enough."""
    marks: dict[int, Mark] = {}
    findings: dict[int, Finding] = {}
    leaves: list[bytes] = []
    for slot in sorted(slots):
        case = case_of(slot)
        outcome = case if isinstance(case, Finding) else examine_one(seat, params, slot, case)
        if isinstance(outcome, Finding):
            marks[slot], findings[slot] = Mark.CHALLENGE, outcome
            say(f"slot {slot} fails {outcome.check.name} {outcome.item}: {outcome.reason} ({outcome.detail})")
            continue
        marks[slot] = Mark.PASS
        leaves += outcome
    return Examination(marks, findings, tuple(leaves))


def examine_one(seat: Seat, params: TaskParams, slot: int, case: Case) -> list[bytes] | Finding:
    """The evidence leaves of a sound contribution, in order, or its first fault."""
    fault = check_update(case) or check_encode(case)
    if fault is not None:
        return fault
    leaves = []
    for item in items(seat, params, slot):
        shown = _examine_item(seat, params, case, item)
        if isinstance(shown, Finding):
            return shown
        leaves.append(leaf(seat, item, shown))
    return leaves


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


def ballot_of(found: Examination, *, secret: Digest, previous: Digest, salt: Digest) -> Ballot:
    """The ballot that says what was found."""
    challenges = tuple(
        Challenge(slot, finding.check, finding.item, result_digest(finding))
        for slot, finding in sorted(found.findings.items())
    )
    return Ballot(
        marks=rules.marks_of(found.marks),
        secret=secret,
        evidence_root=Digest(index_tree.root(found.leaves)),
        previous_version=previous,
        salt=salt,
        challenges=challenges,
    )


class Ballots:
    """Ballots and their evidence on disk, written before the vote is sent: what is hidden must be openable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, round: int, ballot: Ballot, leaves: tuple[bytes, ...]) -> None:
        """Keeps what was saved first: a ballot voted for is never replaced."""
        path = self._path(round)
        if path.exists():
            return
        record = {"ballot": asdict(ballot), "leaves": leaves}
        partial = path.with_suffix(".partial")
        with partial.open("w") as file:
            json.dump(record, file, default=lambda value: "0x" + value.hex())
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)

    def load(self, round: int) -> tuple[Ballot, tuple[bytes, ...]] | None:
        """The ballot of a round and its evidence leaves, None if there is none."""
        path = self._path(round)
        if not path.exists():
            return None
        record = json.loads(path.read_text())
        b = record["ballot"]
        ballot = Ballot(
            marks=b["marks"],
            secret=_digest(b["secret"]),
            evidence_root=_digest(b["evidence_root"]),
            previous_version=_digest(b["previous_version"]),
            salt=_digest(b["salt"]),
            challenges=tuple(
                Challenge(c["slot"], Check(c["check"]), c["item"], _digest(c["measured"])) for c in b["challenges"]
            ),
        )
        return ballot, tuple(bytes.fromhex(text[2:]) for text in record["leaves"])

    def _path(self, round: int) -> Path:
        return self.folder / f"{round}.json"


def _digest(text: str) -> Digest:
    return Digest(bytes.fromhex(text[2:]))
