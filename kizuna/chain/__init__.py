"""The chain: contracts, transactions, events, keys, devnet. Importing it needs no network, torch or compiler."""

from kizuna.chain.client import Kizuna, Pinned, events_of
from kizuna.chain.cursor import EventLog
from kizuna.chain.deployment import Deployment, deploy
from kizuna.chain.devnet import Devnet
from kizuna.chain.journal import Journal
from kizuna.chain.outbox import Call, DeadlinePassed, Outbox, Pending, Unconfirmed
from kizuna.chain.rpc import Block, Health, Receipt, Rpc, RpcRefused
from kizuna.chain.structs import (
    Ballot,
    Challenge,
    Dispute,
    DocketView,
    Money,
    RoundView,
    Slot,
    TaskParams,
    TaskState,
    Windows,
    bits,
    parse_address,
    positions,
)

__all__ = [
    "Ballot",
    "Block",
    "Call",
    "Challenge",
    "DeadlinePassed",
    "Deployment",
    "Devnet",
    "Dispute",
    "DocketView",
    "EventLog",
    "Health",
    "Journal",
    "Kizuna",
    "Money",
    "Outbox",
    "Pending",
    "Pinned",
    "Receipt",
    "RoundView",
    "Rpc",
    "RpcRefused",
    "Slot",
    "TaskParams",
    "TaskState",
    "Unconfirmed",
    "Windows",
    "bits",
    "deploy",
    "events_of",
    "parse_address",
    "positions",
]
