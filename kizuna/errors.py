"""Every exception Kizuna raises on purpose.

::

    KizunaError                 anything below; `str(error)` is one line: what, to what, what to do
    ├── ConfigError             the operator's input is wrong (task file, key, deployment)
    │   ├── TaskInvalid         a task file field is wrong; names field and reason
    │   ├── DeploymentMissing   no, or a stale, deployments/<chainId>.json
    │   └── KeyUnusable         a keystore cannot be read or decrypted
    ├── ChainError              the chain or its RPC
    │   ├── RpcUnavailable      no answer in time, or a refused connection
    │   ├── RpcStale            the node is behind
    │   │   └── WrongChain      the node answers for another chain
    │   ├── Reverted            a call reverted; subclasses are generated from the ABI's errors
    │   ├── Unfunded            the account cannot pay for gas, stake or escrow
    │   └── OutboxBusy          another process holds this key's outbox
    ├── StoreError              content that cannot be had, held or trusted
    │   ├── BlockCorrupt        the bytes do not hash to their id
    │   ├── ContentMissing      no source has it; lists what is missing
    │   ├── ContentMalformed    not canonical DAG-CBOR, UnixFS or safetensors
    │   ├── LimitExceeded       larger, deeper or more than the task allows
    │   └── StoreFull           no bytes or inodes left
    └── NumericsMismatch        this machine is not in the task's numerics class
"""

from __future__ import annotations


class KizunaError(Exception):
    """Base of every error Kizuna raises on purpose."""


class ConfigError(KizunaError):
    """The operator's input is wrong. Commands print it on one line and exit with 2."""


class TaskInvalid(ConfigError):
    """A field of a task file is wrong."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"task file: {field}: {reason}")
        self.field, self.reason = field, reason


class DeploymentMissing(ConfigError):
    """There is no usable deployment file for this chain."""


class KeyUnusable(ConfigError):
    """A private key or keystore cannot be read or decrypted."""


class ChainError(KizunaError):
    """The chain or its RPC endpoint."""


class RpcUnavailable(ChainError):
    """The RPC endpoint did not answer in time or refused the connection."""


class RpcStale(ChainError):
    """The RPC node is behind."""


class WrongChain(RpcStale):
    """The RPC node answers for another chain than before, or than was meant: waiting does not help."""


class Reverted(ChainError):
    """A contract call reverted. `name` and `args_` hold the decoded custom error."""

    def __init__(self, name: str, args_: tuple[object, ...] = (), data: str = "") -> None:
        shown = f"{name}({', '.join(map(str, args_))})"
        super().__init__(f"the contract refused the call: {shown}")
        self.name, self.args_, self.data = name, args_, data


class Unfunded(ChainError):
    """An account cannot pay for gas, stake or escrow."""


class OutboxBusy(ChainError):
    """Another process is sending with this key."""


class StoreError(KizunaError):
    """Content that cannot be had, held or trusted."""


class BlockCorrupt(StoreError):
    """Bytes that do not hash to their content id."""


class ContentMissing(StoreError):
    """No source served the content."""


class ContentMalformed(StoreError):
    """Content that is not in its one canonical form."""


class LimitExceeded(StoreError):
    """Content larger, deeper or more numerous than the task allows."""


class StoreFull(StoreError):
    """The file system has no bytes or inodes left."""


class NumericsMismatch(KizunaError):
    """This machine does not reproduce the task's calibration run bit for bit."""


def exit_code(error: KizunaError) -> int:
    """What a command ends with: 2 where the operator has to change something first, 1 for everything else."""
    theirs = (ConfigError, RpcUnavailable, RpcStale, Unfunded, OutboxBusy, ContentMissing, StoreFull, NumericsMismatch)
    return 2 if isinstance(error, theirs) else 1
