"""The tiny task with seats for the verifiers under test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from support import training
from support.tasks import windows
from support.training import World, world

from kizuna.chain import Deployment, Devnet, Kizuna
from trainer.cheats import FabricatedRound

Make = Callable[[str], Kizuna]
SEAT_OTHERS = World.seat_verifiers


@pytest.fixture
def here(
    devnet: Devnet,
    deployment: Deployment,
    client: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[World]:
    """The tiny task with four free verifier seats, everybody audited; other parameters where a test gives them."""
    monkeypatch.setattr(World, "seat_verifiers", lambda self, make: None)
    short = windows(open=60, attest=16, vote=16, reveal=20, challenge=20, jcommit=16, jreveal=20)
    changes: dict[str, object] = {
        "verifier_seats": 4,
        "committee": 3,
        "rounds": 1,
        "windows": short,
        "audit_rate": 1 << 32,
    }
    with world(devnet, deployment, client, tmp_path, **(changes | getattr(request, "param", {}))) as made:
        yield made


@pytest.fixture
def distinct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contributions whose boundaries all differ, whatever the seed: made up, which is not what is looked at."""
    monkeypatch.setattr(training, "train", partial(training.train, round_type=FabricatedRound))


@pytest.fixture
def full(here: World, client: Make) -> World:
    """The task with all seats taken by others."""
    SEAT_OTHERS(here, client)
    return here
