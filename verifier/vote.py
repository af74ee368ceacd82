"""Ballots: what a checker's findings become on chain, and where they are kept until they are opened."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from kizuna import index_tree
from kizuna.chain import rules
from kizuna.chain.structs import Ballot, Challenge
from kizuna.types import Check, Digest
from verifier.checks import result_digest
from verifier.examine import Examination
from verifier.records import Records, unhex


def covered(found: Examination, challenges: int) -> tuple[Examination, tuple[int, ...]]:
    """What is left when only so many challenges can be bonded, and the slots that go unmarked for it.

    The grossest faults are kept: they slash. A reveal whose bonds are not covered would fail as a whole.
    """
    order = sorted(found.findings, key=lambda slot: (not found.findings[slot].gross, slot))
    dropped = tuple(sorted(order[max(0, challenges) :]))
    marks = {slot: mark for slot, mark in found.marks.items() if slot not in dropped}
    kept = {slot: finding for slot, finding in found.findings.items() if slot not in dropped}
    return Examination(marks, kept, found.leaves), dropped


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
    """Ballots and their evidence on disk, written before the vote is sent."""

    def __init__(self, folder: Path) -> None:
        self._records = Records(folder)

    def save(self, round: int, ballot: Ballot, leaves: tuple[bytes, ...]) -> None:
        """Keeps what was saved first."""
        self._records.save(str(round), {"ballot": asdict(ballot), "leaves": leaves})

    def load(self, round: int) -> tuple[Ballot, tuple[bytes, ...]] | None:
        """The ballot of a round and its evidence leaves, None if there is none."""
        record = self._records.load(str(round))
        if record is None:
            return None
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
        return ballot, tuple(unhex(text) for text in record["leaves"])


def _digest(text: str) -> Digest:
    return Digest(unhex(text))
