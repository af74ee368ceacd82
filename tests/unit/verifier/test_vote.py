"""Ballots: which challenges are bonded, and that what was voted for can always be opened."""

from __future__ import annotations

from pathlib import Path

from kizuna import index_tree
from kizuna.chain import rules
from kizuna.hashing import keccak
from kizuna.types import Check, Digest, Finding, Mark, Reason
from verifier.checks import result_digest
from verifier.examine import Examination
from verifier.vote import Ballots, ballot_of, covered

LONE = Finding(Check.SEGMENT, 1, Reason.WRONG_STATE, gross=False)
GROSS = Finding(Check.UPDATE, 0, Reason.WRONG_BASE)
LEAVES = (b"a" * 300, b"b" * 300)
FOUND = Examination(
    marks={0: Mark.CHALLENGE, 1: Mark.PASS, 3: Mark.CHALLENGE}, findings={0: LONE, 3: GROSS}, leaves=LEAVES
)
SECRET, PREVIOUS, SALT = (Digest(keccak(name)) for name in (b"secret", b"previous", b"salt"))


def test_the_grossest_faults_are_challenged_when_bonds_do_not_reach() -> None:
    kept, dropped = covered(FOUND, 1)
    assert dropped == (0,)
    assert kept.findings == {3: GROSS}
    assert kept.marks == {1: Mark.PASS, 3: Mark.CHALLENGE}
    assert kept.leaves == LEAVES


def test_without_any_bond_nothing_is_challenged() -> None:
    kept, dropped = covered(FOUND, 0)
    assert dropped == (0, 3) and kept.marks == {1: Mark.PASS} and not kept.findings


def test_all_is_challenged_that_bonds_reach_for() -> None:
    assert covered(FOUND, 2) == (FOUND, ())


def test_the_ballot_says_what_was_found() -> None:
    ballot = ballot_of(FOUND, secret=SECRET, previous=PREVIOUS, salt=SALT)
    assert rules.marked(ballot.marks, Mark.PASS) == (1,)
    assert rules.marked(ballot.marks, Mark.CHALLENGE) == (0, 3)
    assert [(c.slot, c.check, c.item) for c in ballot.challenges] == [(0, Check.SEGMENT, 1), (3, Check.UPDATE, 0)]
    assert ballot.challenges[1].measured == result_digest(GROSS)
    assert ballot.evidence_root == index_tree.root(LEAVES)


def test_a_ballot_is_read_back_after_a_restart(tmp_path: Path) -> None:
    ballot = ballot_of(FOUND, secret=SECRET, previous=PREVIOUS, salt=SALT)
    assert Ballots(tmp_path).load(4) is None
    Ballots(tmp_path).save(4, ballot, LEAVES)
    assert Ballots(tmp_path).load(4) == (ballot, LEAVES)


def test_a_ballot_that_may_have_been_voted_for_is_never_replaced(tmp_path: Path) -> None:
    ballots = Ballots(tmp_path)
    first = ballot_of(FOUND, secret=SECRET, previous=PREVIOUS, salt=SALT)
    ballots.save(4, first, LEAVES)
    ballots.save(4, ballot_of(covered(FOUND, 0)[0], secret=SECRET, previous=PREVIOUS, salt=SALT), LEAVES)
    assert ballots.load(4) == (first, LEAVES)


def test_a_write_that_was_cut_off_leaves_no_ballot(tmp_path: Path) -> None:
    (tmp_path / "4.partial").write_text('{"ballot": {"ma')
    assert Ballots(tmp_path).load(4) is None
