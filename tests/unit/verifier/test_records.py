"""What a seat has hidden is on disk once and for all, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.records import Records, unhex

RECORD = {"salt": b"\x00\xff", "marks": 2**256 - 1, "leaves": [b"", b"\x01"], "challenges": []}


def test_a_record_is_read_back_with_its_bytes_as_hex(tmp_path: Path) -> None:
    Records(tmp_path / "a" / "b").save("3", RECORD)
    loaded = Records(tmp_path / "a" / "b").load("3")
    assert loaded == {"salt": "0x00ff", "marks": 2**256 - 1, "leaves": ["0x", "0x01"], "challenges": []}
    assert [unhex(text) for text in (loaded["salt"], *loaded["leaves"])] == [b"\x00\xff", b"", b"\x01"]


def test_there_is_none_before_it_is_saved(tmp_path: Path) -> None:
    assert Records(tmp_path).load("3") is None


def test_what_was_saved_first_stands(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.save("3", {"a": 1})
    records.save("3", {"a": 2})
    records.save("4", {"a": 3})
    assert records.load("3") == {"a": 1} and records.load("4") == {"a": 3}


def test_a_record_that_cannot_be_written_down_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        Records(tmp_path).save("3", {"a": object()})
    assert not list(tmp_path.iterdir())


def test_what_a_crash_left_half_written_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "3.json.partial").write_text('{"a": ')
    records = Records(tmp_path)
    assert records.load("3") is None
    records.save("3", {"a": 1})
    assert records.load("3") == {"a": 1}


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe"])
def test_a_record_that_the_disk_has_damaged_is_none_and_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "3.json").write_bytes(content)
    records = Records(tmp_path)
    assert records.load("3") is None
    records.save("3", {"a": 1})
    assert records.load("3") == {"a": 1}
