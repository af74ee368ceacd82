"""What strangers write is shown on one line and moves nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.text import MAX_CHARACTERS, one_line


@given(st.text())
def test_any_text_becomes_one_printable_line(text: str) -> None:
    assert one_line(text).isprintable()
    assert one_line(one_line(text)) == one_line(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("round 3: committed", "round 3: committed"),
        ("\x1b[2Jgone\x07", "[2Jgone"),
        ("first\r\nsecond\u2028third\x85fourth", "first second third fourth"),
        ("\u202eevil\u2066\u200b", "evil"),
        ("a\x00b\ud800c", "a b c"),
        ("é 絆", "é 絆"),
    ],
)
def test_control_characters_line_ends_and_direction_marks_go(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_giant_is_cut() -> None:
    assert one_line("x" * 10_000_000) == "x" * MAX_CHARACTERS + "..."
