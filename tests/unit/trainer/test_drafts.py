"""Drafts: what is on the disk is what was trained, or it is not taken up."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.training import config, context, train

from kizuna.diloco.segments import TrainRound
from kizuna.rl.config import RoundConfig
from trainer.drafts import Drafts

RULES = config()


@pytest.fixture(scope="module")
def trained() -> TrainRound:
    return train(RULES)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def drafts(trained: TrainRound, said: list[str], tmp_path: Path) -> Drafts:
    """Both segments of a round, saved."""
    drafts = Drafts(tmp_path, said.append)
    for record in trained.records:
        drafts.save(RULES, record)
    return drafts


def segments(drafts: Drafts, rules: RoundConfig = RULES) -> list[int]:
    return [record.segment for record in drafts.load(rules, context().model)]


def test_records_read_back_as_they_were_saved(drafts: Drafts, trained: TrainRound, said: list[str]) -> None:
    loaded = drafts.load(RULES, context().model)
    assert [record.files() for record in loaded] == [record.files() for record in trained.records]
    assert said == []


@pytest.mark.parametrize(
    "file", ["weights.safetensors", "exp_avg.safetensors", "exp_avg_sq.safetensors", "rollouts.safetensors", "receipts"]
)
def test_one_flipped_bit_is_enough_to_train_a_segment_again(drafts: Drafts, said: list[str], file: str) -> None:
    """Nobody would see it in a weight: the trainer would commit to what no re-run ends in, and be slashed."""
    (path,) = drafts.folder.glob(f"*/1/{file}")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert segments(drafts) == [0]
    (line,) = said
    assert str(path.parent) in line and "damaged" in line
    assert segments(drafts) == [0] and len(said) == 1  # it was removed


@pytest.mark.parametrize("damage", ["empty file", "missing file", "folder in place of a file", "half removed"])
def test_a_damaged_record_is_named_and_what_follows_it_is_trained_again(
    drafts: Drafts, trained: TrainRound, said: list[str], damage: str
) -> None:
    (record,) = drafts.folder.glob("*/0")
    weights = record / "weights.safetensors"
    if damage == "half removed":
        shutil.rmtree(record)
        record.mkdir()
    else:
        weights.unlink()
    if damage == "empty file":
        weights.touch()
    if damage == "folder in place of a file":
        weights.mkdir()
    assert segments(drafts) == []
    assert len(said) == 1
    for again in trained.records:
        drafts.save(RULES, again)
    assert segments(drafts) == [0, 1]


def test_records_count_for_their_round_slot_seed_and_base_alone(drafts: Drafts) -> None:
    for other in (config(2), config(slot=1), config(3, 1)):
        assert segments(drafts, other) == []
    assert segments(drafts) == [0, 1]
    drafts.forget_before(2)
    assert segments(drafts) == []
