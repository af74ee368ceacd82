"""Which contract a published task draws by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kizuna.chain import Deployment
from kizuna.errors import ConfigError
from kizuna.task import Environment, TaskSpec, Windows
from scripts.publish import beacon_of

SPEC = TaskSpec(name="tiny", environment=Environment(name="reverse"))
DRAND = SPEC.model_copy(update={"beacon": "drand"})


def test_a_task_draws_by_block_hashes_unless_it_says_otherwise(deployment: Deployment) -> None:
    assert beacon_of(SPEC, deployment) == deployment.beacon


def test_a_task_on_drand_needs_a_deployment_that_has_it(deployment: Deployment) -> None:
    with pytest.raises(ConfigError, match="kizuna deploy --beacon drand"):
        beacon_of(DRAND, deployment)
    entry = replace(deployment.contracts["Vault"])
    both = replace(deployment, contracts={**deployment.contracts, "DrandBeacon": entry})
    assert beacon_of(DRAND, both) == entry.address


def test_windows_longer_than_a_block_hash_lasts_need_drand() -> None:
    long = {**DRAND.record(), "windows": Windows(open=5_000).model_dump()}
    assert TaskSpec.from_record(long).windows.open == 5_000
    with pytest.raises(ConfigError, match="block hash is gone"):
        TaskSpec.from_record({**long, "beacon": "blockhash"})
