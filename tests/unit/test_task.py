from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna import task
from kizuna.errors import TaskInvalid

REVERSE = Path(__file__).parents[2] / "tasks" / "reverse.yaml"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "task.yaml"
    path.write_text(text)
    return path


def test_the_shipped_task_is_valid_and_has_the_documented_shape() -> None:
    spec = task.load(REVERSE)
    assert (spec.inner.segments, spec.inner.groups_per_segment) == (3, 64)
    assert spec.audit_rate_word == 2**32
    assert spec.money.wei("price") == 10**18
    assert spec.money.wei("check_fee") == 3 * 10**17


def test_a_record_reads_back_as_the_same_task() -> None:
    spec = task.load(REVERSE)
    assert task.TaskSpec.from_record(spec.record()) == spec


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ("- 1", "task.yaml", "mapping"),
        ("name: x\nenvironment: {name: reverse}\nrounds: 0", "rounds", "greater than or equal to 1"),
        ("name: x\nenvironment: {name: reverse}\nwibble: 1", "wibble", "not permitted"),
        ("name: x\nenvironment: {name: reverse, top_k: 5}", "environment.top_k", "not permitted"),
        ("name: x\nenvironment: {name: reverse, top_p: 0.9}", "environment.top_p", "not permitted"),
        ("name: x", "environment", "required"),
        ("name: x\nenvironment: {name: '../../etc'}", "environment.name", "pattern"),
        ("name: x\nenvironment: {name: reverse}\ninner: {steps: 5, segment_steps: 2}", "inner", "multiple"),
        ("name: x\nenvironment: {name: reverse}\nverification: {segments: 9}", "task", "only 3 segments"),
        ("name: x\nenvironment: {name: reverse}\nmoney: {trainer_slash: 11}", "task", "slash"),
        ("name: x\nenvironment: {name: reverse}\nmoney: {price: 1e-13}", "task", "1e6 wei"),
        ("name: x\nenvironment: {name: reverse}\ninner: {lr: .nan}", "inner.lr", "finite"),
        ("name: x\nenvironment: {name: reverse}\nwindows: {vote: 251}", "task", "block hash"),
        ("name: x\nenvironment: {name: reverse}\nseats: {committee: 4}", "seats", "committee"),
        ("name: x\nenvironment: {name: reverse}\nbeacon: dice", "beacon", "'blockhash' or 'drand'"),
        ("a: [", "task.yaml", "not YAML"),
        ("a: &a [1]\nb: *a", "task.yaml", "aliases are not allowed"),
        ("a: &a {x: 1}\nb: {<<: *a}", "task.yaml", "aliases are not allowed"),
        ("name: x\nenvironment: {name: reverse}\nrounds: 3\nrounds: 4", "task.yaml", "rounds stands twice"),
        ("name: x\nenvironment: {name: reverse, name: other}", "task.yaml", "name stands twice"),
        ("!!python/object/apply:os.system ['true']", "task.yaml", "not YAML"),
    ],
)
def test_a_malformed_task_file_is_refused_by_field_and_reason(
    tmp_path: Path, text: str, field: str, reason: str
) -> None:
    with pytest.raises(TaskInvalid) as caught:
        task.load(write(tmp_path, text))
    assert field in caught.value.field
    assert reason in caught.value.reason
    assert "\n" not in str(caught.value)


def test_a_missing_and_an_oversized_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskInvalid, match="cannot be read"):
        task.load(tmp_path / "none.yaml")
    with pytest.raises(TaskInvalid, match="larger than"):
        task.load(write(tmp_path, "#" * (task.MAX_FILE_BYTES + 1)))


def test_an_amount_that_is_not_whole_wei_is_refused(tmp_path: Path) -> None:
    spec = task.load(write(tmp_path, "name: x\nenvironment: {name: reverse}\nmoney: {tip: '0.0000000000000000001'}"))
    with pytest.raises(TaskInvalid, match=r"money\.tip"):
        spec.money.wei("tip")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_a_hostile_record_is_refused_and_never_crashes(record: object) -> None:
    with pytest.raises(TaskInvalid):
        task.TaskSpec.from_record(record)
