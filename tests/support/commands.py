"""Commands of the project, run in the test's own process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one line with which it refused what its operator gave it."""
        assert self.code == 2, self
        (line,) = self.err.splitlines()
        return line


Command = Callable[..., Ended]
"""`kizuna("status", 1, rpc=url)`"""
