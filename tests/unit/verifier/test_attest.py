"""What counts as held."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.cases import RULES, case_of, found_of, hide, honest

from kizuna.store import MemoryBlocks
from kizuna.types import Check, Finding, Reason
from verifier.attest import why_not_held


def test_a_contribution_with_its_last_boundary_is_held() -> None:
    assert why_not_held(case_of(honest())) is None


def test_without_the_last_boundary_it_is_not_held() -> None:
    case = case_of(honest())
    hide(case, RULES.segments)
    fault = why_not_held(case)
    assert fault is not None and fault.reason is Reason.UNAVAILABLE


def test_inner_boundaries_are_the_trainers_to_serve_until_they_are_drawn() -> None:
    case = case_of(honest())
    hide(case, 1)
    assert why_not_held(case) is None


@pytest.mark.parametrize("reason", [Reason.WRONG_BASE, Reason.WRONG_COUNT])
def test_wrong_work_that_is_there_is_held_and_left_to_the_checkers(reason: Reason) -> None:
    assert why_not_held(Finding(Check.UPDATE, 0, reason)) is None


@pytest.mark.parametrize(
    "reason", [Reason.UNAVAILABLE, Reason.WRONG_ROOT, Reason.WRONG_CONTEXT, Reason.MALFORMED, Reason.TOO_LARGE]
)
def test_bytes_other_than_those_committed_are_not_held(reason: Reason) -> None:
    assert why_not_held(Finding(Check.UPDATE, 0, reason)) is not None


def test_receipts_that_give_another_root_are_not_held() -> None:
    blocks = MemoryBlocks()
    found = found_of(replace(honest(), rollouts=b"not safetensors"), blocks)
    assert isinstance(found, Finding)
    assert why_not_held(found) is not None
