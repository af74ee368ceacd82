"""The whole protocol on one machine: a chain, a mirror, trainers and verifiers, some of whom cheat.

Exit code 0 only if the model learned, every cheat lost stake, every honest account gained, all computed the versions
that the chain recorded, and the vault's books balance to the wei.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TimeElapsedColumn
from rich.table import Table

from kizuna.chain import Kizuna
from kizuna.chain.structs import TaskState
from kizuna.command import main
from kizuna.errors import ChainError, ConfigError, StoreError
from kizuna.task import TOKEN, TaskSpec, load
from kizuna.types import Phase, Role
from scripts import audit
from scripts.local import Agent, LocalNet
from scripts.narrator import Narrator
from scripts.observer import Observer
from scripts.publish import params_of, require_honesty_pays

ROOT = Path(__file__).resolve().parent.parent
NEEDED_RISE = 0.15
BLOCK_TIME_S = 0.5
"""Short, as every phase costs its participants at least a block of waiting."""

SOLVE = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
answers = []
for word in ("abc", "dawn", "storm", "rivet"):
    ids = tokenizer(word + "=", return_tensors="pt").input_ids
    out = model.generate(ids, max_new_tokens=8, do_sample=False)
    answers.append(word + " -> " + tokenizer.decode(out[0, ids.shape[1]:], skip_special_tokens=True).replace(" ", ""))
print("  ".join(answers))
"""


@dataclass(slots=True)
class Show:
    """A demonstration under way."""

    spec: TaskSpec
    net: LocalNet
    console: Console
    task: int = 0
    start_wei: dict[str, int] = field(default_factory=dict)
    cheats: list[Agent] = field(default_factory=list)
    lazy: list[Agent] = field(default_factory=list)


def demo(
    task_file: Annotated[Path, typer.Argument(help="The task to run.")] = ROOT / "tasks" / "reverse.yaml",
    trainers: Annotated[int | None, typer.Option(help="Trainers; else as the task says.", show_default=False)] = None,
    verifiers: Annotated[int | None, typer.Option(help="Verifiers; else as the task says.", show_default=False)] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds; else as the task says.", show_default=False)] = None,
    cheat: Annotated[str, typer.Option(help="How one trainer cheats; none for an honest run.")] = "fabricate",
    seed: Annotated[int | None, typer.Option(help="Seed of the genesis.", show_default=False)] = None,
    keep: Annotated[bool, typer.Option(help="Keep logs and stores of the run.")] = False,
) -> None:
    """Run the whole protocol on this machine, two cheats among the nodes, and check that it kept its promises.

    Needs anvil, which `make setup` installs, and some minutes of two processor cores. Everything else, such as keys
    and tokens, it makes for itself.

    \b
    Example:
      kizuna demo
      kizuna demo --cheat none --rounds 4
    """
    from trainer.cheats import CHEATS

    if cheat not in CHEATS:
        raise ConfigError(f"--cheat {cheat}: there are {', '.join(CHEATS)}")
    spec = with_options(load(task_file), trainers=trainers, verifiers=verifiers, rounds=rounds, seed=seed)
    params_of(spec)
    require_honesty_pays(spec)
    console = Console(width=None if sys.stdout.isatty() else 120)
    folder = Path(tempfile.mkdtemp(prefix="kizuna-demo-"))
    checkpoint = Path("runs") / "demo" / "checkpoint"
    began, failed = monotonic(), True
    try:
        with LocalNet(folder, block_time_s=BLOCK_TIME_S) as net:
            show = Show(spec, net, console)
            console.print(f"[bold]Kizuna[/]: chain at {net.chain.url}, mirror at {net.mirror}")
            observer = set_up(show, folder, cheat)
            names = {str(agent.account.address): agent.name for agent in net.agents}
            narrator = Narrator(net.client(), console, show.task, names)
            follow(show, observer, narrator)
            faults = conclude(show, observer, narrator, checkpoint)
        failed = bool(faults)
        for fault in faults:
            console.print(f"[red]broken:[/] {fault}")
        verdict = "[red]the protocol broke a promise" if failed else "[green]every promise held"
        console.print(f"{verdict}[/], in {monotonic() - began:.0f} s")
    finally:
        if keep or failed:
            console.print(f"logs and stores: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if failed:
        raise typer.Exit(1)


def with_options(
    spec: TaskSpec, *, trainers: int | None, verifiers: int | None, rounds: int | None, seed: int | None
) -> TaskSpec:
    """The task with the command line's numbers, validated again as a whole. Raises TaskInvalid."""
    record = spec.record()
    for value, section, name in (
        (trainers, "seats", "trainers"),
        (verifiers, "seats", "verifiers"),
        (seed, "model", "seed"),
    ):
        if value is not None:
            record[section][name] = value
    if rounds is not None:
        record["rounds"] = rounds
    return TaskSpec.from_record(record)


def set_up(show: Show, folder: Path, cheat: str) -> Observer:
    """Publishes the task and starts everybody; returns who watches."""
    import yaml

    net, spec, console = show.net, show.spec, show.console
    task_file = folder / "task.yaml"
    record = spec.record()
    task_file.write_text(yaml.safe_dump({k: v for k, v in record.items() if k not in ("v", "kind")}))
    console.print("publishing the task: genesis, break-even of every attack, escrow")
    show.task = net.publish(spec, task_file, lambda line: console.print(line, markup=False, highlight=False))
    money, seats = spec.money, spec.seats
    stake, purse = money.wei("trainer_stake"), money.wei("verifier_stake") + money.wei("verifier_balance")
    for i in range(seats.trainers):
        cheats = cheat != "none" and i == seats.trainers - 1
        flags: tuple[str, ...] = ("--cheat", cheat) if cheats else ()
        agent = net.start(f"trainer-{i}", Role.TRAINER, task=show.task, tokens_wei=stake, flags=flags)
        show.start_wei[agent.account.address] = stake
        if cheats:
            show.cheats.append(agent)
    for i in range(seats.verifiers):
        is_lazy = cheat != "none" and i == seats.verifiers - 1
        flags = ("--lazy",) if is_lazy else ()
        agent = net.start(f"verifier-{i}", Role.VERIFIER, task=show.task, tokens_wei=purse, flags=flags)
        show.start_wei[agent.account.address] = purse
        if is_lazy:
            show.lazy.append(agent)
    console.print(f"started {seats.trainers} trainers and {seats.verifiers} verifiers, each a process of its own")
    observer = Observer(net.client(), show.task, (net.mirror,))
    console.print(f"accuracy before: {observer.look(0):.3f}")
    return observer


def follow(show: Show, observer: Observer, narrator: Narrator) -> None:
    """Tells the rounds as they go by, until the last is settled and its version recorded."""
    chain, console, task, last = show.net.client(), show.console, show.task, show.spec.rounds
    columns = "[progress.description]{task.description}", BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("waiting for the first round", total=last)
        while True:
            show.net.check()
            try:
                narrator.tell()
                made = narrator.round if narrator.phase >= Phase.CHALLENGE else narrator.round - 1
                if made > 0 and made not in observer.accuracies:
                    console.print(f"             accuracy after round {made}: {observer.look(made):.3f}", style="green")
                learned = f", accuracy {observer.accuracies[made]:.3f}" if made > 0 else ""
                where = f"round {narrator.round} of {last}, {narrator.phase.name}{learned}"
                progress.update(bar, completed=max(0, made), description=where)
                if chain.settled_through(task) == last and any(chain.round(task, last).version):
                    return
            except (ChainError, StoreError) as error:
                console.print(f"waiting: {error}", markup=False)
            sleep(0.4)


def conclude(show: Show, observer: Observer, narrator: Narrator, checkpoint: Path) -> list[str]:
    """Ends the task, shows what everybody made of it, and lists the promises that were not kept."""
    net, console, task, spec = show.net, show.console, show.task, show.spec
    close_task(show)
    chain = net.client()
    narrator.tell()
    events = narrator.events
    token = chain.params(task).token
    rows = audit.accounts(chain, events, task, token, show.start_wei)
    names = narrator.names
    books = audit.books(chain, events, token)
    console.print(account_table(rows, names, spec))
    left = audit.purse(chain, token, chain.initiator_of(task))
    spent = spec.money.wei("budget") + spec.money.wei("initiator_bond") - left
    burned = books.accounts.get(audit.BURNED, 0)
    console.print(f"the initiator spent {spent / TOKEN:.3f}, has {left / TOKEN:.3f} back; burned: {burned / TOKEN:.3f}")
    for ruled in audit.convictions(events, task):
        evidence = chain.dispute(task, ruled.round, ruled.docket, ruled.dispute).measured.hex()[:16]
        console.print(
            f"round {ruled.round}, docket {ruled.docket}: {ruled.role.name.lower()} {ruled.accused} "
            f"{ruled.ruling.name} of {ruled.check.name} {ruled.item}, evidence {evidence}"
        )
    console.print(f"mean gas: {narrator.mean_gas()}")
    last = spec.rounds
    before, after = observer.look(0), observer.look(last)
    console.print(f"accuracy {before:.3f} -> {after:.3f}")
    shutil.rmtree(checkpoint, ignore_errors=True)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    observer.export(last, checkpoint)
    console.print(f"checkpoint: {checkpoint}")
    solved = solve(checkpoint)
    console.print(f"transformers loads it: {solved}" if solved else "[red]transformers cannot load it")
    return promises(show, observer, chain, rows, names, books, solved)


def promises(
    show: Show,
    observer: Observer,
    chain: Kizuna,
    rows: list[audit.Account],
    names: dict[str, str],
    books: audit.Books,
    solved: str,
) -> list[str]:
    """What the protocol promised and did not keep."""
    faults: list[str] = []
    rise = observer.look(show.spec.rounds) - observer.look(0)
    if rise < NEEDED_RISE:
        faults.append(f"accuracy rose by {rise:.3f} only, {NEEDED_RISE} is needed")
    bad = {str(agent.account.address) for agent in (*show.cheats, *show.lazy)}
    for row in rows:
        if row.owner in bad and not row.slashed:
            faults.append(f"{names[row.owner]} cheated and was not slashed")
        if row.owner not in bad and row.slashed:
            faults.append(f"{names[row.owner]} is honest and was slashed")
        if row.owner not in bad and row.gained <= 0:
            faults.append(f"{names[row.owner]} is honest and gained {row.gained} wei")
    for made in range(1, show.spec.rounds + 1):
        recorded, computed = chain.round(show.task, made).version, observer.digests[made]
        if recorded != computed:
            faults.append(f"version {made}: {computed.hex()[:16]} computed, {recorded.hex()[:16]} recorded on chain")
    if not books.balance:
        faults.append(f"books: {sum(books.accounts.values())} != {books.liabilities} != {books.held}")
    if not solved:
        faults.append("the checkpoint does not load as a Hugging Face model")
    return faults


def close_task(show: Show) -> None:
    """The initiator ends the task; everybody takes stake and pay out and exits."""
    net, task = show.net, show.task
    initiator = net.client(net.chain.account("initiator", ether=1))
    try:
        if initiator.state_of(task) is TaskState.RUNNING:
            initiator.finish(task)
    finally:
        initiator.close()
    end = monotonic() + 60
    while any(agent.running for agent in net.agents if agent.role is not None) and monotonic() < end:
        net.check()
        sleep(0.2)


def account_table(rows: list[audit.Account], names: dict[str, str], spec: TaskSpec) -> Table:
    """Amounts in whole tokens."""
    table = Table(title=f"What everybody made of it, in tokens (price {spec.money.price})", title_justify="left")
    for heading in ("account", "slot", "earned", "slashed", "fined", "burned", "balance"):
        table.add_column(heading, justify="left" if heading in ("account", "slot") else "right")
    for row in rows:
        amounts = (row.earned, row.slashed, row.fined, row.burned, row.worth)
        slot = f"{row.role.name.lower()} {row.position}"
        table.add_row(names.get(row.owner, row.owner), slot, *(f"{amount / TOKEN:.3f}" for amount in amounts))
    return table


def solve(checkpoint: Path) -> str:
    """What plain transformers makes of four words with the checkpoint; empty if it does not load."""
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(
        [sys.executable, "-c", SOLVE, str(checkpoint)],
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    main(demo)
