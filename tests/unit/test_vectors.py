"""The committed vectors pin Python; the contract tests read the same files and pin Solidity."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from support.drand import encode_g1, hash_to_g1

VECTORS = Path(__file__).parents[1] / "vectors"
GENERATOR = runpy.run_path(str(VECTORS / "generate.py"))
DRAND = runpy.run_path(str(VECTORS / "drand.py"))


@pytest.mark.parametrize("name", sorted(GENERATOR["VECTORS"]))
def test_the_code_reproduces_the_committed_vectors(name: str) -> None:
    assert GENERATOR["render"](GENERATOR["VECTORS"][name]()) == (VECTORS / name).read_text()


def test_the_vectors_of_drand_are_reproduced() -> None:
    assert DRAND["render"](DRAND["table"]()) == (VECTORS / "drand.json").read_text()


def test_hashing_to_the_curve_off_chain_gives_the_published_points() -> None:
    for domain, message, point in DRAND["HASHED"]:
        assert encode_g1(hash_to_g1(message, domain)).hex() == point
