"""Text that strangers wrote, made fit for a log or a terminal."""

from __future__ import annotations

MAX_CHARACTERS = 2000


def one_line(text: str) -> str:
    """The text on one line of bounded length, with nothing in it that moves a cursor or turns the writing round."""
    shown = text[:MAX_CHARACTERS] + ("..." if len(text) > MAX_CHARACTERS else "")
    return " ".join("".join(c if c.isprintable() else " " for c in shown).split())
