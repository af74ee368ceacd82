from __future__ import annotations

import json

import numpy as np
import pytest
from support.models import llama

from kizuna import tensors
from kizuna.errors import ContentMalformed, LimitExceeded
from kizuna.rl.state import FILES, Boundary


def boundary() -> Boundary:
    start = Boundary.start(llama().weights())
    return Boundary(
        start.weights, *({n: v + k for n, v in start.exp_avg.items()} for k in (np.float32(1), np.float32(2)))
    )


def test_a_boundary_reads_back_what_it_wrote() -> None:
    state = boundary()
    again = Boundary.from_files(state.files(), llama().shapes())
    assert again.files() == state.files() and set(state.files()) == set(FILES)


def test_a_round_starts_at_the_base_with_zero_moments() -> None:
    weights = llama().weights()
    start = Boundary.start(weights)
    assert all((start.weights[name] == value).all() for name, value in weights.items())
    assert not any(value.any() for part in (start.exp_avg, start.exp_avg_sq) for value in part.values())


def test_foreign_boundaries_that_do_not_fit_the_model_are_refused() -> None:
    files, shapes = boundary().files(), llama().shapes()
    wide = {name: np.zeros(shape, dtype=np.float64) for name, shape in shapes.items()}
    few = dict(list(boundary().weights.items())[1:])
    for wrong in (
        {name: data for name, data in files.items() if name != FILES[2]},
        files | {"extra": b""},
        files | {FILES[1]: tensors.dump(few)},
        files | {FILES[0]: tensors.dump(wide)},
        files | {FILES[0]: files[FILES[0]][:-4]},
        files | {FILES[0]: json.dumps({}).encode()},
    ):
        with pytest.raises((ContentMalformed, LimitExceeded)):
            Boundary.from_files(wrong, shapes)


def test_a_file_larger_than_the_model_can_need_is_refused_unread() -> None:
    files = boundary().files()
    with pytest.raises(LimitExceeded):
        Boundary.from_files(files | {FILES[0]: bytes(4 * 2**20)}, llama().shapes())
