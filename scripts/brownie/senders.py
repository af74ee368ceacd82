"""Which account of Brownie's sends the transactions."""

from __future__ import annotations

from typing import Any

from brownie import accounts
from brownie._config import CONFIG

from kizuna.chain import keys


def sender(name: str) -> Any:
    """The account that `brownie accounts` knows by `name`; without one KIZUNA_KEY, or on a development network the
    first account there. Raises KeyUnusable."""
    if name:
        return accounts.load(name)
    if CONFIG.network_type == "development":
        return accounts[0]
    return accounts.add(keys.load().key)
