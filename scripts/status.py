"""Shows where a task stands: its round and phase, who takes part, what is reserved and paid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from kizuna.chain import Kizuna
from kizuna.chain.client import Pinned
from kizuna.chain.deployment import FOLDER
from kizuna.chain.intents import Intents
from kizuna.chain.journal import Journal
from kizuna.chain.structs import positions
from kizuna.command import LOCAL_RPC, Deployments, RpcUrl, main
from kizuna.errors import ConfigError
from kizuna.types import Role


def status(
    task: Annotated[int, typer.Argument(help="Number of the task.", min=1, metavar="TASK")] = 1,
    rpc: RpcUrl = LOCAL_RPC,
    deployments: Deployments = FOLDER,
    state: Annotated[
        Path | None,
        typer.Option(
            help="State folder of an agent here: also what it waits for.", metavar="FOLDER", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: amounts are strings of wei.")] = False,
) -> None:
    """Show where a task stands: its round and phase, who takes part, what is in escrow.

    Needs a chain RPC and the network's deployment file. Reads only: no key.

    \b
    Example:
      kizuna status 1 --rpc http://127.0.0.1:8545
    """
    client = Kizuna.connect(rpc, deployments=deployments)
    chain = client.at(client.block)
    chain.require_task(task)
    facts, seats = task_facts(chain, task), seat_rows(chain, task)
    client.close()
    if state is not None:
        facts["awaited"] = awaited(state)
    if as_json:
        typer.echo(json.dumps({**facts, "slots": seats}, indent=1))
        return
    console = Console()
    for name, value in facts.items():
        console.print(f"{name.replace('_', ' '):14} {value}", markup=False, highlight=False)
    table = Table()
    for heading in ("slot", "operator", "active", "stake (wei)", "convicted"):
        table.add_column(heading)
    for row in seats:
        active = f"from round {row['active_from']}" + (f" to {row['active_to']}" if row["active_to"] else "")
        table.add_row(
            f"{row['role']} {row['position']}", str(row["operator"]), active, str(row["stake"]), str(row["convicted"])
        )
    console.print(table)


def task_facts(chain: Pinned, task: int) -> dict[str, object]:
    """What there is to know about a task as a whole."""
    opened = chain.next_round(task) - 1
    facts: dict[str, object] = {
        "task": task,
        "state": chain.state_of(task).name,
        "block": chain.block.number,
        "rounds": f"{opened} of {chain.params(task).rounds} opened, {chain.settled_through(task)} settled",
        "escrow": str(chain.escrow_of(task)),
    }
    if opened:
        view = chain.round(task, opened)
        facts["phase"] = f"{view.phase.name}, until block {view.phase_end}"
        facts["committed"] = list(positions(view.committed))
        facts["accepted"] = list(positions(view.accepted))
    if obstacle := chain.obstacle(task):
        facts["next_round"] = f"waits: {obstacle}"
    return facts


def awaited(state: Path) -> list[str]:
    """The transactions that an agent has signed and not seen in a block, first things first."""
    if not state.is_dir():
        raise ConfigError(f"--state {state}: there is no such folder")
    lines = []
    for path in sorted(state.glob("*-0x*.sqlite")):
        journal = Journal(path)
        for intent in Intents(journal).open():
            name = intent.name.partition("/")[2]
            line = f"{name}, nonce {intent.nonce}, since block {intent.first_block}"
            lines.append(line if intent.deadline is None else f"{line}, until block {intent.deadline}")
        journal.close()
    return lines


def seat_rows(chain: Pinned, task: int) -> list[dict[str, object]]:
    """One row a slot, trainers first."""
    rows: list[dict[str, object]] = []
    for role in Role:
        for position, slot in enumerate(chain.slots(task, role)):
            rows.append(
                {
                    "role": role.name.lower(),
                    "position": position,
                    "operator": slot.operator,
                    "active_from": slot.active_from,
                    "active_to": slot.active_to if slot.active_to < 2**32 - 1 else None,
                    "stake": str(chain.stake_of(task, role, position)),
                    "convicted": slot.convicted,
                }
            )
    return rows


if __name__ == "__main__":
    main(status)
