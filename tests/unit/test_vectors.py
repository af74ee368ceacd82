"""The committed vectors pin Python; the contract tests read the same files and pin Solidity."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[1] / "vectors"
GENERATOR = runpy.run_path(str(VECTORS / "generate.py"))


@pytest.mark.parametrize("name", sorted(GENERATOR["VECTORS"]))
def test_the_code_reproduces_the_committed_vectors(name: str) -> None:
    assert GENERATOR["render"](GENERATOR["VECTORS"][name]()) == (VECTORS / name).read_text()
