"""The chain on which contracts and model are compared, and the profile of the long comparison."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from support.ground import Ground, prepared

# `pytest --hypothesis-profile=deep tests/unit/chain/test_state_machine.py`: many long games, other ones every time.
settings.register_profile("deep", derandomize=False)


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    with prepared() as chain:
        yield chain
