"""A model of the contracts in plain Python (docs/protocol.md, section 8): what a call changes or why it is refused."""

from kizuna.chain.model.state import DisputeState, DocketState, RoundState, SlotState, State
from kizuna.chain.model.task import TaskModel

__all__ = ["DisputeState", "DocketState", "RoundState", "SlotState", "State", "TaskModel"]
