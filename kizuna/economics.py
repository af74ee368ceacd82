"""Whether cheating pays under a task's rules (docs/protocol.md, section 9): exact where chance is discrete.

All amounts are in prices P (the pay of one accepted quota). For each attack the protocol compares what a cheat
stands to lose with what it saves; an attack that does not lose money makes the task unpublishable.

- h: honest share of the verifier seats, M seats, committees of c, jury of all eligible seats
- J segments of which g are bad, n of them re-run per checker, a: probability that a checker gets the bytes
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, comb, inf

from kizuna.task import TaskSpec

ROUNDS_BEFORE_CLOSE = 1
"""Rounds that a cheat can still commit to before the docket that convicts it closes (k)."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One way to cheat, seen by the one who considers it. Amounts are prices per contribution."""

    name: str
    caught: float
    loses: float
    saves: float
    outside: float
    """The gain from elsewhere per accepted bad contribution at which the attack breaks even."""

    @property
    def pays(self) -> bool:
        return self.loses <= self.saves


def attacks(spec: TaskSpec) -> tuple[Attack, ...]:
    """Every attack that exists so far, with its break-even."""
    segments = spec.inner.segments
    return (
        _trainer_attack(spec, "fabricate the whole update", bad=segments),
        _trainer_attack(spec, "fabricate one segment", bad=1),
        _withholding(spec),
        _lazy_verifier(spec),
    )


def detection(spec: TaskSpec, bad: int) -> float:
    """p_d: at least one honest checker draws, gets and re-runs one of `bad` segments."""
    v, s, a = spec.verification, spec.seats, spec.assumptions
    segments = spec.inner.segments
    missed = comb(segments - bad, v.segments) / comb(segments, v.segments)
    seats, honest = s.verifiers, _honest(spec, s.verifiers)
    total = 0.0
    for i in range(s.committee + 1):
        ways = comb(honest, i) * comb(seats - honest, s.committee - i) / comb(seats, s.committee)
        total += ways * (1 - a.availability * (1 - missed)) ** i
    return 1 - total


def conviction(spec: TaskSpec, *, challenger: bool) -> float:
    """Whether the honest members of a jury of all eligible seats carry its two thirds (1 or 0).

    Everybody eligible sits, so nothing is left to chance; the one that challenged or is accused does not sit.
    """
    seats = spec.seats.verifiers - 1
    honest = _honest(spec, spec.seats.verifiers) - (1 if challenger else 0)
    return 1.0 if 3 * honest >= 2 * seats and seats > 0 else 0.0


def _trainer_attack(spec: TaskSpec, name: str, *, bad: int) -> Attack:
    m, a = spec.money, spec.assumptions
    k = ROUNDS_BEFORE_CLOSE
    p_d = detection(spec, bad)
    p = p_d * conviction(spec, challenger=True)
    saved = a.training_cost * bad / spec.inner.segments
    margin = 1 - a.training_cost
    loses = float(m.trainer_slash) + 1 + k * margin + a.entry_cost
    return _attack(name, p, (1 - p_d) / p if p else inf, loses=loses, saved=saved, k=k)


def _withholding(spec: TaskSpec) -> Attack:
    """Serves attesters, then refuses drawn boundaries: jurors look at the mirrors, one honest checker is enough."""
    m, a = spec.money, spec.assumptions
    honest = _honest(spec, spec.seats.verifiers)
    dishonest = spec.seats.verifiers - honest
    missed = comb(dishonest, spec.seats.committee) / comb(spec.seats.verifiers, spec.seats.committee)
    p = (1 - missed) * conviction(spec, challenger=True)
    loses = float(m.trainer_slash) + 1 + ROUNDS_BEFORE_CLOSE * (1 - a.training_cost) + a.entry_cost
    saved = a.training_cost
    return _attack(
        "withhold what was drawn", p, missed / p if p else inf, loses=loses, saved=saved, k=ROUNDS_BEFORE_CLOSE
    )


def _attack(name: str, p: float, accepted: float, *, loses: float, saved: float, k: int) -> Attack:
    """`accepted`: bad contributions that weigh, per conviction (A). Challenges come in reveals, so before SOFT."""
    saves = saved * (1 / p - 1 + k) if p else inf
    outside = (loses - saves) / accepted if 0 < accepted < inf else (inf if p and loses > saves else 0.0)
    return Attack(name, p, loses, saves, outside)


def _lazy_verifier(spec: TaskSpec) -> Attack:
    """Passes everything unseen and makes up its evidence; the audit asks for one leaf of it."""
    m, s, a = spec.money, spec.seats, spec.assumptions
    caught = spec.verification.audit_rate * conviction(spec, challenger=False)
    fees = float(m.check_fee) * s.trainers
    work = fees * a.checking_cost
    loses = caught * (float(m.verifier_slash) + fees + (fees - work))
    return Attack("pass without checking", caught, loses, work, inf if loses > work else 0.0)


def _honest(spec: TaskSpec, seats: int) -> int:
    """Honest seats, rounded to the dishonest side's gain."""
    return seats - ceil(seats * (1 - spec.assumptions.honest_verifiers) - 1e-9)
