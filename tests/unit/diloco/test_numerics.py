from __future__ import annotations

from dataclasses import replace

import pytest
from support.models import PLAN, REVERSE, config, genesis

from kizuna.diloco.numerics import numerics_id
from kizuna.hashing import keccak
from kizuna.rl.genesis import genesis_files


def of(**changes: object) -> bytes:
    return numerics_id(genesis(), config(**changes), REVERSE)


MINE = of()


def test_the_id_is_stable_and_says_nothing_of_round_slot_seed_or_base() -> None:
    assert len(MINE) == 32
    assert of(task=9, round=8, slot=7, seed=keccak(b"other"), base=keccak(b"head")) == MINE


@pytest.mark.parametrize(
    "change",
    [{"learning_rate": 1.1e-2}, {"micro_batches": 4}, {"max_new_tokens": 7}, {"temperature": 0.9}, {"beta2": 0.9}],
    ids=str,
)
def test_the_id_depends_on_whatever_changes_the_arithmetic_of_the_task(change: dict[str, object]) -> None:
    assert of(**change) != MINE


def test_the_id_depends_on_the_genesis() -> None:
    other = genesis_files(REVERSE, replace(PLAN, seed=2))
    assert numerics_id(other, config(), REVERSE) != MINE
