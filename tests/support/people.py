"""Everybody of one mirrored task and what each of them can send: honest, spoilt or out of place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from kizuna import draws, index_tree
from kizuna.chain import Ballot, Challenge, rules
from kizuna.chain.hashes import ballot_hash, juror_hash
from kizuna.draws import SecretChain, secret_chain
from kizuna.hashing import abi_words, keccak
from kizuna.types import ZERO_DIGEST, Check, Digest, Mark, Role, Ruling
from support.mirror import TASK, Mirror

INITIATOR, KEEPER, STRANGER = ("0x" + f"{n:040x}" for n in (0x1111, 0x2222, 0x3333))
PEOPLE = 8  # of each role
SALT = Digest(keccak(b"salt"))


def owner_of(role: Role, i: int) -> str:
    """The first verifier also owns trainer 1; trainer 2 is its own operator."""
    if role is Role.TRAINER and i == 1:
        return owner_of(Role.VERIFIER, 0)
    if role is Role.TRAINER and i == 2:
        return operator_of(role, i)
    return "0x" + f"{(0x7700, 0x5500)[role] + i:040x}"


def operator_of(role: Role, i: int) -> str:
    return "0x" + f"{(0x7000, 0x5000)[role] + i:040x}"


@cache
def secrets_of(i: int) -> SecretChain:
    return secret_chain(b"verifier %d" % i, 12)


def version_of(number: int) -> Digest:
    """The version that honest checkers say a round made."""
    return Digest(keccak(b"version %d" % number)) if number else ZERO_DIGEST


class People:
    """The moves of a task's people. Position i of a role belongs to the i-th to join it."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror, self.model = mirror, mirror.model
        self.ballots: dict[tuple[int, int], Ballot] = {}
        self.rulings: dict[tuple[int, int, int], list[Ruling]] = {}

    # --- slots and rounds ---

    def join(self, role: Role, i: int, **spoilt: Any) -> bool:
        trainer = role is Role.TRAINER
        usual = {
            "quota": 1,
            "operator": operator_of(role, i),
            "secret_tip": ZERO_DIGEST if trainer else Digest(secrets_of(i).tip),
            "numerics_id": self.model.params.numerics_id,
            "endpoint": "http://trainer.example" if trainer else "",
        }
        return self.mirror.call("join", role, *(usual | spoilt).values(), sender=owner_of(role, i))

    def commit(self, number: int, trainer: int, *, hold: bool = False) -> bool:
        roots = [Digest(keccak(b"%d %d %d" % (number, trainer, i))) for i in range(3)]
        return self.mirror.call("commit", number, *roots, sender=operator_of(Role.TRAINER, trainer), hold=hold)

    def attest(self, number: int, seat: int, held: int, *, hold: bool = False) -> bool:
        return self.mirror.call("attest", number, held, sender=operator_of(Role.VERIFIER, seat), hold=hold)

    # --- ballots ---

    def vote(self, number: int, seat: int, words: Sequence[str], *, hold: bool = False) -> bool:
        """`words[t]` is what the ballot says of trainer t: see `_say`."""
        ballot = self._ballot(number, seat, words)
        voter = operator_of(Role.VERIFIER, seat)
        accepted = self.mirror.call("vote", number, self._hash(number, seat, ballot), sender=voter, hold=hold)
        if accepted:
            self.ballots[number, seat] = ballot
        return accepted

    def reveal(self, number: int, seat: int, *, hold: bool = False) -> bool:
        ballot = self.ballots.get((number, seat)) or self._ballot(number, seat, ["pass"] * 8)
        return self.mirror.call("reveal", number, ballot, sender=operator_of(Role.VERIFIER, seat), hold=hold)

    def _ballot(self, number: int, seat: int, words: Sequence[str]) -> Ballot:
        slot, state = self.model.state.slots[Role.VERIFIER][seat], self.model.state.rounds[number - 1]
        secret = Digest(secrets_of(seat).link(max(1, number - slot.active_from + 1)))
        if "wrong secret" in words:
            secret = Digest(keccak(secret))
        allowed = state.held & ~self.model.own_trainers(seat)
        marks: dict[int, Mark] = {}
        challenges: list[Challenge] = []
        for trainer, word in enumerate(words):
            if allowed >> trainer & 1 or word == "foreign":
                marks[trainer], said = self._say(word, number, seat, trainer, secret)
                challenges += said
        packed = rules.marks_of(marks)
        leaves = self.leaves(number, seat, packed)
        previous = version_of(number - 1) if "wrong version" not in words else version_of(number)
        return Ballot(
            marks=packed, secret=secret, evidence_root=Digest(index_tree.root(leaves)),
            previous_version=previous, salt=SALT, challenges=tuple(challenges),
        )  # fmt: skip

    def _say(
        self, word: str, number: int, seat: int, trainer: int, secret: Digest
    ) -> tuple[Mark, tuple[Challenge, ...]]:
        """The mark of one contribution, and the challenges that go with it."""
        p, seal = self.model.params, self.model.state.rounds[number - 1].seal or ZERO_DIGEST
        source = {"task": TASK, "round": number, "seal": seal, "secret": secret, "seat": seat, "slot": trainer}
        segments = draws.segments(p.segments, p.segments_per_checker, **source)
        groups = draws.groups(segments[0], p.groups_per_segment, p.rollouts_per_checker, **source)
        undrawn = next((i for i in range(p.segments) if i not in segments), p.segments)
        items = {
            "update": [(Check.UPDATE, 0)],
            "encode": [(Check.ENCODE, 0)],
            "segment": [(Check.SEGMENT, segments[0])],
            "rollout": [(Check.ROLLOUT, groups[0])] if groups else [(Check.ENCODE, 0)],
            "available": [(Check.AVAILABLE, p.segments)],
            "unserved": [(Check.AVAILABLE, segments[0])],
            "several": [(Check.UPDATE, 0), (Check.SEGMENT, segments[0]), (Check.UPDATE, 0)],
            "undrawn": [(Check.SEGMENT, undrawn)],
            "beyond": [(Check.UPDATE, 1)],
            "evidence": [(Check.EVIDENCE, 0)],
            "undrawn group": [(Check.ROLLOUT, next(i for i in range(len(groups) + 1) if i not in groups))],
            "nobody": [(Check.UPDATE, 0)],
            "unsaid": [],
            "unmarked": [(Check.UPDATE, 0)],
            "everything": [*((Check.SEGMENT, i) for i in segments), (Check.AVAILABLE, p.segments)],
        }
        if word not in items:
            return (Mark.SKIP if word == "skip" else Mark.PASS), ()
        slot = 64 if word == "nobody" else trainer
        said = tuple(Challenge(slot, check, item, Digest(keccak(b"measured"))) for check, item in items[word])
        return (Mark.PASS if word == "unmarked" else Mark.CHALLENGE), said

    def _hash(self, number: int, seat: int, ballot: Ballot) -> Digest:
        where, voter = self.mirror.where, operator_of(Role.VERIFIER, seat)
        return ballot_hash(ballot, chain_id=where.chain_id, rounds=where.rounds, task=TASK, round=number, voter=voter)

    # --- evidence ---

    def leaves(self, number: int, seat: int, marks: int) -> list[bytes]:
        """A checker's evidence leaves of what it passed."""
        p, operator = self.model.params, operator_of(Role.VERIFIER, seat)
        kinds = [(Check.SEGMENT, i) for i in range(p.segments_per_checker)]
        kinds += [(Check.ROLLOUT, i) for i in range(p.rollouts_per_checker)]
        return [
            abi_words(TASK, number, seat, slot, int(check), i, 9, int(operator, 16)) + b"evidence"
            for slot in rules.marked(marks, Mark.PASS)
            for check, i in kinds
        ]

    def post(self, number: int, seat: int, *, spoil: str = "", hold: bool = False) -> bool:
        """Shows the leaf that was asked for; `spoil` names what is wrong with it."""
        state = self.model.state.rounds[number - 1]
        marks = state.ballots[seat].marks if seat in state.ballots else rules.marks_of({0: Mark.PASS})
        index = self.model.audit_of(number, seat)[1] if state.audit else 0
        leaves = self.leaves(number, seat, marks) or [bytes(300)]
        leaf, proof = leaves[index], list(index_tree.prove(leaves, index))
        words = {"task": 0, "round": 1, "seat": 2, "slot": 3, "kind": 4, "draw": 5, "item": 6, "operator": 7}
        if spoil in words:
            at = 32 * words[spoil] + 31
            leaf = leaf[:at] + bytes([leaf[at] ^ 1]) + leaf[at + 1 :]
        leaf = {"short": leaf[:256], "long": leaf + bytes(1024)}.get(spoil, leaf)
        proof = [*proof, bytes(32)] if spoil == "proof" else proof
        ballot = state.ballots.get(seat) or self._ballot(number, seat, ["pass"] * 4)
        ballot = replace(ballot, salt=ZERO_DIGEST) if spoil == "ballot" else ballot
        sender = operator_of(Role.VERIFIER, seat)
        return self.mirror.call("post_evidence", number, ballot, leaf, proof, sender=sender, hold=hold)

    # --- juries ---

    def jcommit(self, number: int, which: int, juror: int, pattern: Sequence[Ruling], *, hold: bool = False) -> bool:
        """Rulings on all disputes, in order: those of `pattern`, from its start again where there are more."""
        rulings = [pattern[i % len(pattern)] for i in range(len(self.model.docket(number, which).disputes))]
        hash = self._juror_hash(number, which, juror, rulings)
        sender = operator_of(Role.VERIFIER, juror)
        accepted = self.mirror.call("jcommit", number, which, hash, sender=sender, hold=hold)
        if accepted:
            self.rulings[number, which, juror] = rulings
        return accepted

    def jreveal(self, number: int, which: int, juror: int, *, other: Ruling | None = None, hold: bool = False) -> bool:
        """Opens what was committed, or `other` instead."""
        known = self.rulings.get((number, which, juror), [])
        rulings = known if other is None else [other] * len(self.model.docket(number, which).disputes)
        results = [ZERO_DIGEST] * len(rulings)
        sender = operator_of(Role.VERIFIER, juror)
        return self.mirror.call("jreveal", number, which, rulings, results, SALT, sender=sender, hold=hold)

    def _juror_hash(self, number: int, which: int, juror: int, rulings: Sequence[Ruling]) -> Digest:
        where = self.mirror.where
        return juror_hash(
            rulings, [ZERO_DIGEST] * len(rulings), SALT,
            chain_id=where.chain_id, court=where.court, task=TASK, round=number, docket=which,
            juror=operator_of(Role.VERIFIER, juror),
        )  # fmt: skip
