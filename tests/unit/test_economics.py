from __future__ import annotations

from pathlib import Path

import pytest

from kizuna import task
from kizuna.economics import attacks, conviction, detection

SPEC = task.load(Path(__file__).parents[2] / "tasks" / "reverse.yaml")


def changed(section: str, **values: object) -> task.TaskSpec:
    return SPEC.model_copy(update={section: getattr(SPEC, section).model_copy(update=values)})


def test_in_the_shipped_task_every_attack_loses_money() -> None:
    for attack in attacks(SPEC):
        assert not attack.pays, attack


def test_detection_follows_the_hypergeometric_committee() -> None:
    # One of five seats is dishonest, committees of three: six of ten committees are all but one honest.
    all_bad = 0.4 * (1 - 0.95) ** 3 + 0.6 * (1 - 0.95) ** 2
    assert detection(SPEC, bad=3) == pytest.approx(1 - all_bad)
    third = 1 - 0.95 / 3
    assert detection(SPEC, bad=1) == pytest.approx(1 - (0.4 * third**3 + 0.6 * third**2))


def test_a_jury_without_two_thirds_of_honest_seats_convicts_nobody() -> None:
    assert conviction(SPEC, challenger=True) == 1.0
    assert conviction(changed("assumptions", honest_verifiers=0.6), challenger=True) == 0.0


def test_cheating_pays_where_the_slash_is_too_small_for_the_odds() -> None:
    weak = changed("money", trainer_slash=0).model_copy(
        update={"assumptions": SPEC.assumptions.model_copy(update={"availability": 0.2})}
    )
    assert any(attack.pays for attack in attacks(weak))


def test_laziness_pays_without_audits() -> None:
    lazy = next(a for a in attacks(changed("verification", audit_rate=0.0)) if a.name == "pass without checking")
    assert lazy.pays
