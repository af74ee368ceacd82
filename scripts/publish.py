"""Publishes a task: refuses one in which cheating pays, makes the genesis, escrows the budget, stores the content."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from kizuna.chain import Deployment, Kizuna, Money, TaskParams, Windows, keys, rules
from kizuna.chain.deployment import FOLDER
from kizuna.economics import Attack, attacks
from kizuna.errors import ConfigError, TaskInvalid
from kizuna.store import DAG_CBOR, Cid, FlatFs, dagcbor, unixfs
from kizuna.store.gateway import Gateway
from kizuna.store.mirror import Wanted, request_pull
from kizuna.task import TaskSpec, load
from kizuna.types import Address, Digest
from scripts.command import main

MAX_MODEL_BYTES = 1 << 36


def publish(
    task_file: Annotated[Path, typer.Argument(help="The task file, for example tasks/reverse.yaml.")],
    rpc: Annotated[str, typer.Option(help="URL of the chain's RPC.")] = "http://127.0.0.1:8545",
    key: Annotated[str | None, typer.Option(help="Key file or keystore; else KIZUNA_KEY.", show_default=False)] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Passphrase of the keystore.", show_default=False)
    ] = None,
    mirror: Annotated[list[str] | None, typer.Option(help="Mirror that will hold the content; repeatable.")] = None,
    token: Annotated[str | None, typer.Option(help="ERC-20 to pay in; else the deployment's test token.")] = None,
    state: Annotated[Path, typer.Option(help="Where content and pending transactions are kept.")] = Path(
        "runs/publish"
    ),
    deployments: Annotated[Path, typer.Option(help="Folder of the deployment files.")] = FOLDER,
    dry_run: Annotated[bool, typer.Option(help="Only check the task and show what attacks cost.")] = False,
) -> None:
    """Publish a task. Refuses one in which any listed attack pays."""
    console = Console()
    spec = load(task_file)
    require_honesty_pays(spec, console)
    if dry_run:
        return
    spec = spec.model_copy(update={"mirrors": tuple(mirror or spec.mirrors)})
    if not spec.mirrors:
        raise TaskInvalid("mirrors", "name at least one, in the file or with --mirror: someone has to hold the content")
    account = keys.load(key, passphrase_file=passphrase_file)
    chain = Kizuna.connect(rpc, account=account, deployments=deployments, state=state)
    blocks = FlatFs(state / "blocks")
    try:
        task = create(spec, chain, blocks, console, token=token)
        with Gateway(blocks) as gateway:
            params = chain.params(task)
            wanted = [Wanted(Cid(params.spec, DAG_CBOR)), Wanted(genesis_cid(params))]
            for url in spec.mirrors:
                request_pull(url, account, cids=wanted, source=gateway.url, label=f"task/{task}")
                console.print(f"content is held by {url}")
        console.print(f"task {task} is published")
    finally:
        blocks.close()
        chain.close()


def require_honesty_pays(spec: TaskSpec, console: Console) -> None:
    """Shows what each attack costs. Raises TaskInvalid if one pays."""
    found = attacks(spec)
    console.print(break_even_table(found))
    if paying := [attack.name for attack in found if attack.pays]:
        raise TaskInvalid("money", f"cheating pays in this task: {', '.join(paying)}; raise slash, checks or audits")


def break_even_table(found: tuple[Attack, ...]) -> Table:
    """One row an attack: odds of being caught, loss, saving, and the outside gain that would tempt."""
    table = Table(title="What cheating costs, in prices of one quota", title_justify="left")
    for heading in ("attack", "caught", "loses", "saves", "tempting from an outside gain of"):
        table.add_column(heading, justify="left" if heading == "attack" else "right")
    for a in found:
        outside = "never" if a.outside == float("inf") else f"{a.outside:.2f}"
        table.add_row(a.name, f"{a.caught:.1%}", f"{a.loses:.2f}", f"{a.saves:.2f}", outside)
    return table


def create(spec: TaskSpec, chain: Kizuna, blocks: FlatFs, console: Console, *, token: str | None) -> int:
    """Stores genesis and specification, deposits what is missing and creates the task."""
    files = genesis(spec, console)
    directory = unixfs.add_directory(blocks, files)
    record = dagcbor.encode(spec.record())
    specification = Cid.of(record, DAG_CBOR)
    blocks.put(specification, record)
    currency = token or chain.deployment.token
    if currency is None:
        raise ConfigError("this deployment has no test token: name the ERC-20 to pay in with --token")
    params = task_params(
        spec,
        chain,
        token=currency,
        spec_digest=specification.digest,
        genesis_digest=directory.digest,
        numerics=numerics(spec, files, console),
    )
    budget = spec.money.wei("budget")
    missing = budget + params.money.initiator_bond - chain.free_of(currency, chain.address)
    if missing > 0:
        chain.deposit(currency, missing, intent=f"deposit/{specification}")
    return chain.create_task(params, budget, intent=f"create/{specification}")


def genesis(spec: TaskSpec, console: Console) -> dict[str, bytes]:
    """The files of the genesis model: read from a directory, or made on the spot."""
    from kizuna.rl.environment import ENVIRONMENTS  # torch is needed from here on only
    from kizuna.rl.genesis import GenesisPlan, genesis_files

    if spec.environment.name not in ENVIRONMENTS:
        raise TaskInvalid("environment.name", f"unknown; there are: {', '.join(ENVIRONMENTS)}")
    if spec.model.directory is not None:
        return _read_model(Path(spec.model.directory))
    m = spec.model
    plan = GenesisPlan(seed=m.seed, steps=m.warmup_steps, hidden=m.hidden, layers=m.layers, heads=m.heads)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("warming up the genesis", total=m.warmup_steps)
        return genesis_files(
            ENVIRONMENTS[spec.environment.name], plan, report=lambda n: progress.update(bar, completed=n)
        )


def numerics(spec: TaskSpec, files: dict[str, bytes], console: Console) -> Digest:
    """The numerics class of this machine for the task."""
    from kizuna.node.task_context import numerics_of

    with console.status("calibrating"):
        return numerics_of(spec, files)


def genesis_cid(params: TaskParams) -> Cid:
    """The UnixFS directory of a task's genesis."""
    from kizuna.store import DAG_PB

    return Cid(params.genesis, DAG_PB)


def task_params(
    spec: TaskSpec, chain: Kizuna, *, token: str, spec_digest: bytes, genesis_digest: bytes, numerics: bytes
) -> TaskParams:
    """What the contracts are told of a task."""
    seats, v, inner = spec.seats, spec.verification, spec.inner
    params = TaskParams(
        token=chain.deployment.token if token == chain.deployment.token else token,  # type: ignore[arg-type]
        beacon=beacon_of(spec, chain.deployment),
        spec=Digest(spec_digest),
        genesis=Digest(genesis_digest),
        numerics_id=Digest(numerics),
        trainer_slots=seats.trainers,
        verifier_seats=seats.verifiers,
        min_verifier_seats=seats.min_verifiers,
        max_quota=1,
        shard_slots=64,
        committee=seats.committee,
        rounds=spec.rounds,
        start_block=chain.block.number + seats.start_after,
        segments=inner.segments,
        segments_per_checker=v.segments,
        groups_per_segment=inner.groups_per_segment,
        rollouts_per_checker=v.rollouts,
        audit_rate=spec.audit_rate_word,
        windows=Windows(**spec.windows.model_dump()),
        money=Money(**{field: spec.money.wei(field) for field in Money.__dataclass_fields__}),
    )
    reserve = rules.full_reserve(params)
    if spec.money.wei("budget") < reserve:
        raise TaskInvalid("money.budget", f"one round reserves up to {reserve / spec.money.wei('price'):.2f} prices")
    return params


def beacon_of(spec: TaskSpec, deployment: Deployment) -> Address:
    """The contract that the task draws by. Raises ConfigError where the deployment has none of this kind."""
    address = deployment.beacons.get(spec.beacon)
    if address is None:
        raise ConfigError(
            f"this deployment has no {spec.beacon} beacon: add one with `kizuna deploy --beacon {spec.beacon}`"
        )
    return address


def _read_model(directory: Path) -> dict[str, bytes]:
    if not directory.is_dir():
        raise TaskInvalid("model.directory", f"{directory} is not a directory")
    files = {
        path.name: path for path in sorted(directory.iterdir()) if path.is_file() and not path.name.startswith(".")
    }
    if sum(path.stat().st_size for path in files.values()) > MAX_MODEL_BYTES:
        raise TaskInvalid("model.directory", f"larger than {MAX_MODEL_BYTES} bytes")
    if "config.json" not in files or "model.safetensors" not in files:
        raise TaskInvalid("model.directory", f"{directory} lacks config.json or model.safetensors")
    return {name: path.read_bytes() for name, path in files.items()}


if __name__ == "__main__":
    main(publish)
