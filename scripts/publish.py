"""Publishes a task: refuses one in which cheating pays, makes the genesis, escrows the budget, stores the content."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer
from eth_account.signers.local import LocalAccount
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from kizuna.chain import Deployment, Kizuna, Money, TaskParams, Windows, errors, keys, parse_address, rules
from kizuna.chain.abi import artifact
from kizuna.chain.deployment import FOLDER
from kizuna.chain.structs import to_abi
from kizuna.command import LOCAL_RPC, Deployments, KeyFile, PassphraseFile, RpcUrl, checked_url, main
from kizuna.economics import Attack, attacks
from kizuna.errors import ConfigError, Reverted, StoreError, TaskInvalid, Unfunded
from kizuna.rl.environment import ENVIRONMENTS
from kizuna.state import hold
from kizuna.store import DAG_CBOR, DAG_PB, Cid, FlatFs, dagcbor, unixfs
from kizuna.store.gateway import Gateway
from kizuna.store.mirror import Wanted, request_pull
from kizuna.task import TaskSpec, load
from kizuna.types import ZERO_DIGEST, Address, Digest

MIRROR_TIMEOUT_S = 10.0
NOWHERE = Address("0x" + "0" * 40)
MAX_MODEL_BYTES = 1 << 36


def publish(
    task_file: Annotated[Path, typer.Argument(help="The task file.", metavar="TASK.yaml", show_default=False)],
    rpc: RpcUrl = LOCAL_RPC,
    key: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    mirror: Annotated[
        list[str] | None,
        typer.Option(help="Mirror that will hold the content; repeatable.", metavar="URL", show_default=False),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="ERC-20 to pay in; else the deployment's test token.", metavar="ADDRESS", show_default=False),
    ] = None,
    state: Annotated[
        Path, typer.Option(help="Where content and pending transactions are kept.", metavar="FOLDER")
    ] = Path("runs/publish"),
    deployments: Deployments = FOLDER,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the task and show what attacks cost.")] = False,
) -> None:
    """Publish a task: make its genesis, escrow the budget, have mirrors hold the content.

    Needs a chain RPC, the network's deployment file, a mirror, and a key with ether for gas and tokens for the budget
    and the initiator's bond. Refuses a task in which any known attack pays. Run again with the same --state, it goes
    on where it was interrupted and never pays twice.

    \b
    Example:
      kizuna publish tasks/reverse.yaml --dry-run
      kizuna publish tasks/reverse.yaml --mirror http://127.0.0.1:4000 --key initiator.key
    """
    console = Console()
    spec = load(task_file)
    params_of(spec)
    console.print(break_even_table(attacks(spec)))
    require_honesty_pays(spec)
    if dry_run:
        return
    spec = with_mirrors(spec, mirror or spec.mirrors)
    account = keys.load(key, passphrase_file=passphrase_file)
    with ExitStack() as stack:
        stack.enter_context(hold(state))
        chain = Kizuna.connect(rpc, account=account, deployments=deployments, state=state)
        stack.callback(chain.close)
        for url in spec.mirrors:
            require_answer(url)
        blocks = FlatFs(state / "blocks")
        stack.callback(blocks.close)
        task = create(spec, chain, blocks, console, token=token)
        push(task, spec, chain, blocks, account, console)
        console.print(f"task {task} is published")


def with_mirrors(spec: TaskSpec, urls: Sequence[str]) -> TaskSpec:
    """The task with the mirrors that will hold its content. Raises ConfigError."""
    if not urls:
        raise TaskInvalid("mirrors", "name at least one, in the file or with --mirror: someone has to hold the content")
    plain = [checked_url("mirror", url) for url in urls]
    if long := [url for url in plain if urlsplit(url).path]:
        raise TaskInvalid("mirrors", f"{long[0]}: must be an address without a path")
    return TaskSpec.from_record({**spec.record(), "mirrors": plain})


def require_answer(url: str) -> None:
    """Raises ConfigError unless a mirror is running at `url`: before money is in escrow that nobody can work for."""
    try:
        answer = httpx.get(f"{url}/healthz", timeout=MIRROR_TIMEOUT_S, trust_env=False)
        healthy = answer.status_code == 200 and answer.json() == {"status": "ok"}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        healthy = False
    if not healthy:
        raise ConfigError(f"there is no mirror at {url}: start one with `kizuna mirror`, or name another")


def push(task: int, spec: TaskSpec, chain: Kizuna, blocks: FlatFs, account: LocalAccount, console: Console) -> None:
    """Has every mirror of the task hold specification and genesis. Raises ConfigError where one does not."""
    params = chain.params(task)
    wanted = [Wanted(Cid(params.spec, DAG_CBOR)), Wanted(Cid(params.genesis, DAG_PB))]
    with Gateway(blocks) as gateway:
        for url in spec.mirrors:
            try:
                state = request_pull(url, account, cids=wanted, source=gateway.url, label=f"task/{task}")
                failed = state.failed[0][1] if state.failed else "" if state.done else "it takes too long"
            except StoreError as error:
                failed = str(error)
            if failed:
                raise ConfigError(
                    f"task {task} is created but mirror {url} does not hold its content ({failed}): "
                    "mend that and run the same command again, which pays nothing twice"
                )
            console.print(f"content is held by {url}", markup=False)


def require_honesty_pays(spec: TaskSpec) -> None:
    """Raises TaskInvalid if an attack pays."""
    if paying := [attack.name for attack in attacks(spec) if attack.pays]:
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
    """Stores the content, deposits what is missing and creates the task."""
    currency, budget = currency_of(token, chain), spec.money.wei("budget")
    specification = Cid.of(dagcbor.encode(spec.record()), DAG_CBOR)
    creation = f"create/{specification}"
    missing = 0
    if not chain.has_sent("Tasks", creation):
        require_allowed(_without_content(spec, chain, currency), budget, chain)
        missing = budget + spec.money.wei("initiator_bond") - chain.free_of(currency, chain.address)
        require_tokens(chain, currency, missing)
    params = prepare(spec, chain, blocks, console, token=currency)
    if missing > 0:
        chain.deposit(currency, missing, intent=f"deposit/{specification}")
    return chain.create_task(params, budget, intent=creation)


def prepare(spec: TaskSpec, chain: Kizuna, blocks: FlatFs, console: Console, *, token: Address) -> TaskParams:
    """Stores genesis and specification; returns what the contracts are told of the task. Sends nothing."""
    files = genesis(spec, console)
    record = dagcbor.encode(spec.record())
    specification = Cid.of(record, DAG_CBOR)
    blocks.put(specification, record)
    return replace(
        _without_content(spec, chain, token),
        spec=Digest(specification.digest),
        genesis=Digest(unixfs.add_directory(blocks, files).digest),
        numerics_id=numerics(spec, files, console),
    )


def _without_content(spec: TaskSpec, chain: Kizuna, token: Address) -> TaskParams:
    start = chain.block.number + spec.seats.start_after
    return replace(params_of(spec), token=token, beacon=beacon_of(spec, chain.deployment), start_block=start)


def currency_of(token: str | None, chain: Kizuna) -> Address:
    """The token to pay in. Raises ConfigError."""
    if token is None:
        if chain.deployment.token is None:
            raise ConfigError("this deployment has no test token: name the ERC-20 to pay in with --token")
        return chain.deployment.token
    try:
        return parse_address(token)
    except ValueError as error:
        raise ConfigError(f"--token {token}: {error}") from None


def require_allowed(params: TaskParams, budget: int, chain: Kizuna) -> None:
    """Raises TaskInvalid where the contracts' own rules refuse the task: before its genesis is made, and paid for."""
    some = Digest(b"\x01" * 32)
    trial = replace(params, spec=some, genesis=some, numerics_id=some)
    data = artifact("Tasks").functions["createTask"].encode(to_abi(trial), budget)
    try:
        chain.rpc.call(chain.deployment.tasks, data, at=chain.block, sender=chain.address)
    except errors.Tasks_BadParameter as error:
        raise TaskInvalid(*map(str, error.args_)) from None
    except Reverted:  # the money is not there yet, which they ask about last
        return


def require_tokens(chain: Kizuna, token: Address, wei: int) -> None:
    """Raises Unfunded unless the account can deposit as much."""
    held = chain.token_balance(token, chain.address)
    if held < wei:
        raise Unfunded(f"{chain.address} needs {wei} wei of token {token} for budget and bond, it holds {held}")


def genesis(spec: TaskSpec, console: Console) -> dict[str, bytes]:
    """The files of the genesis model: read from a directory, or made on the spot."""
    from kizuna.rl.genesis import GenesisPlan, genesis_files  # torch is needed from here on only

    if spec.model.directory is not None:
        return _read_model(Path(spec.model.directory))
    console.print("making the genesis")
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


def params_of(spec: TaskSpec) -> TaskParams:
    """What the contracts are told of a task; blank what depends on chain and machine. Raises TaskInvalid."""
    seats, v, inner = spec.seats, spec.verification, spec.inner
    params = TaskParams(
        token=NOWHERE,
        beacon=NOWHERE,
        spec=ZERO_DIGEST,
        genesis=ZERO_DIGEST,
        numerics_id=ZERO_DIGEST,
        trainer_slots=seats.trainers,
        verifier_seats=seats.verifiers,
        min_verifier_seats=seats.min_verifiers,
        max_quota=1,
        shard_slots=64,
        committee=seats.committee,
        rounds=spec.rounds,
        start_block=0,
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
    if spec.environment.name not in ENVIRONMENTS:
        raise TaskInvalid("environment.name", f"unknown; there are: {', '.join(ENVIRONMENTS)}")
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
