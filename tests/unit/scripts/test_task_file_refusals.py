"""Task files that `publish` and `demo` refuse, before they ask for a key, a chain or a mirror."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import Command

from kizuna.task import MAX_FILE_BYTES

REVERSE = Path(__file__).resolve().parents[3] / "tasks" / "reverse.yaml"
SOUND = "name: x\nenvironment: {name: reverse}\n"
LEVELS = range(1, 12)


def bomb(inner: str, each: str) -> str:
    """YAML of some hundred bytes that stands for 9^11 times `inner`."""
    layers = (f"a{i}: &a{i} {each.format(','.join([f'*a{i - 1}'] * 9))}\n" for i in LEVELS)
    return f"a0: &a0 {inner}\n" + "".join(layers)


@pytest.mark.parametrize("job", ["publish", "demo"])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "not YAML"),
        ("\xff\x00", "not YAML"),
        ("[" * 20_000, "not YAML"),
        ("just words", "must be a mapping"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        (bomb("[x]", "[{}]"), "aliases are not allowed"),
        (bomb("{x: 1}", "{{<<: [{}]}}"), "aliases are not allowed"),
        (SOUND + "rounds: 3\nrounds: 4\n", "rounds stands twice"),
        (SOUND + "money: {budget: 1, budget: 2}\n", "budget stands twice"),
        (SOUND + "rounds: many\n", "rounds: Input should be a valid integer"),
        (SOUND + "rounds: {a: 1}\n", "rounds: Input should be a valid integer"),
        (SOUND + "rounds: 0\n", "rounds: Input should be greater than or equal to 1"),
        (SOUND + f"rounds: {'9' * 5000}\n", "Exceeds the limit"),
        (SOUND + "inner: {lr: .inf}\n", "inner.lr: Input should be a finite number"),
        (SOUND + "wibble: 1\n", "wibble: Extra inputs are not permitted"),
        (SOUND + '"a\\n\\e[2Jb": 1\n', "a [2Jb: Extra inputs are not permitted"),
        (SOUND + "1: 2\n", "Keys should be strings"),
        ("name: x\n", "environment: Field required"),
        ("name: x\nenvironment: {name: alchemy}\n", "environment.name: unknown; there are: reverse"),
        (SOUND + "mirrors: ['http://x/path']\n", "mirrors.0"),
        (SOUND + "money: {budget: 1}\n", "money.budget: one round reserves up to"),
        (SOUND + "verification: {audit_rate: 0}\n", "cheating pays in this task: pass without checking"),
        (SOUND + "money: {trainer_slash: 0.001}\nassumptions: {training_cost: 1}\n", "fabricate the whole"),
    ],
)
def test_a_malformed_or_unwise_task_is_refused_with_what_is_wrong(
    kizuna: Command, tmp_path: Path, job: str, text: str, told: str
) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(text, encoding="latin-1")
    assert told in kizuna(job, path).refusal


@pytest.mark.parametrize("job", ["publish", "demo"])
def test_a_file_that_cannot_be_one_is_refused_by_name(kizuna: Command, tmp_path: Path, job: str) -> None:
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    for path, told in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory"), (huge, "larger than")):
        refusal = kizuna(job, path).refusal
        assert told in refusal and str(path) in refusal
    assert "Is a directory" in kizuna(job, tmp_path).refusal


def test_a_dry_run_shows_what_attacks_cost_and_needs_nothing(kizuna: Command) -> None:
    ended = kizuna("publish", REVERSE, "--dry-run")
    assert ended.code == 0 and not ended.err
    assert "fabricate one segment" in ended.out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rounds": 0}, "rounds: Input should be greater than or equal to 1"),
        ({"trainers": 65}, "seats.trainers: Input should be less than or equal to 64"),
        ({"verifiers": 2}, "seats.verifiers: Input should be greater than or equal to 3"),
        ({"seed": -1}, "model.seed"),
        ({"trainers": 64}, "money.budget"),
        ({"cheat": "sleep"}, "--cheat sleep: there are none, fabricate"),
    ],
)
def test_a_demo_out_of_range_is_refused(kizuna: Command, options: dict[str, object], told: str) -> None:
    assert told in kizuna("demo", REVERSE, **options).refusal
