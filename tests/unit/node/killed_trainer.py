"""Run by `test_kills.py` in a process of its own: a trainer that is killed again and again until its round is done.

Prints how often it was killed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from eth_account import Account
from support.killing import killed_at_file

from kizuna.node.agent import Node, Options
from kizuna.types import Role
from trainer.agent import Trainer
from trainer.cheats import CHEATS

LONGER = 8
"""Changes of files by which every life is longer than the one before."""


def live(options: Options, key: str) -> None:
    """A trainer's life: start, take the open round as far as it gets, end."""
    with Node(options, Role.TRAINER, Account.from_key(key)) as node:
        agent = Trainer(node, CHEATS["none"])
        for _ in range(2):  # the first step of a life finds its seat
            agent.step(node.chain.at(node.chain.block))
        agent.close()


def main(given: dict[str, str]) -> int:
    state = Path(given["state"])
    options = Options(
        task=int(given["task"]),
        rpc=given["rpc"],
        state=state,
        mirrors=(given["mirror"],),
        deployments=Path(given["deployments"]),
    )
    point = 0
    for kills in range(100):
        point += LONGER
        if not killed_at_file(point, state, lambda: live(options, given["key"])):
            return kills
    raise AssertionError("the trainer never gets done")


if __name__ == "__main__":
    print(main(json.loads(sys.argv[1])))
