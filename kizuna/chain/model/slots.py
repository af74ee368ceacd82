"""Slots of the model: joining, leaving, fines, slashes, strikes, secrets."""

from __future__ import annotations

from collections.abc import Callable

from kizuna import draws, payouts
from kizuna.chain import rules
from kizuna.chain.model.state import FOREVER, SlotState
from kizuna.chain.model.vault import VaultModel, refuse
from kizuna.chain.structs import TaskState
from kizuna.types import ZERO_DIGEST, Digest, Role

MAX_URL = 256
MAX_VERIFIERS = 256


class SlotsModel(VaultModel):
    """Who is in the task."""

    # --- calls ---

    def join(
        self, role: Role, quota: int, operator: str, secret_tip: Digest, numerics_id: Digest, endpoint: str
    ) -> None:
        if self.state.task not in (TaskState.LISTED, TaskState.RUNNING) or self.next_round() > self.params.rounds:
            refuse("Slots_TaskClosed")
        if not 0 < quota <= self.params.max_quota:
            refuse("Slots_BadQuota")
        if numerics_id != self.params.numerics_id:
            refuse("Slots_WrongNumerics")
        if (role is Role.VERIFIER) != (secret_tip != ZERO_DIGEST):
            refuse("Slots_BadSecret")
        if len(endpoint.encode()) > (MAX_URL if role is Role.TRAINER else 0):
            refuse("Slots_BadEndpoint")
        slots = self.state.slots[role]
        if len(slots) >= (self.params.shard_slots if role is Role.TRAINER else MAX_VERIFIERS):
            refuse("Slots_Full")
        if int(operator, 16) == 0 or self._place(operator) is not None:
            refuse("Slots_OperatorTaken")
        slots.append(SlotState(self.sender, operator, self.next_round(), secret_tip))
        stake = self._stake(role, len(slots) - 1)
        self._move(rules.free_account(self.sender), stake, rules.stake_of(self.money, role))

    def exit(self, role: Role, position: int) -> None:
        slot = self._existing(role, position)
        if self.sender not in (slot.owner, slot.operator):
            refuse("Slots_NotOwner")
        if slot.active_to != FOREVER:
            refuse("Slots_StillActive")
        slot.active_to = self.next_round()

    def withdraw_stake(self, role: Role, position: int) -> None:
        slot = self._existing(role, position)
        ended = self.state.task in (TaskState.FINISHED, TaskState.CANCELLED)
        # Once all rounds before `active_to` are settled, nothing can be owed any more.
        if not ended and (slot.active_to == FOREVER or self.settled_through() + 1 < slot.active_to):
            refuse("Slots_StillActive")
        stake = self._stake(role, position)
        self._move(stake, rules.free_account(slot.owner), self.balance(stake))

    def announce(self, url: str) -> None:
        if len(url.encode()) > MAX_URL:
            refuse("Slots_BadEndpoint")
        if not any(self.sender in (slot.owner, slot.operator) for slot in self.state.slots[Role.TRAINER]):
            refuse("Slots_NoSlot")

    # --- views ---

    def next_round(self) -> int:
        return len(self.state.rounds) + 1

    def settled_through(self) -> int:
        settled = [round.settled for round in self.state.rounds]
        return settled.index(False) if False in settled else len(settled)

    def ready(self, role: Role) -> int:
        """Who would be active if the next round opened now."""
        return self._where(role, lambda slot: slot.active_to == FOREVER)

    def convicted(self, role: Role) -> int:
        return self._where(role, lambda slot: slot.convicted)

    def own_trainers(self, position: int) -> int:
        """Trainer positions that belong to the owner of a verifier."""
        owner = self.state.slots[Role.VERIFIER][position].owner
        return self._where(Role.TRAINER, lambda slot: slot.owner == owner)

    # --- inside ---

    def _where(self, role: Role, holds: Callable[[SlotState], bool]) -> int:
        return sum(1 << position for position, slot in enumerate(self.state.slots[role]) if holds(slot))

    def _place(self, operator: str) -> tuple[Role, int] | None:
        for role, slots in self.state.slots.items():
            for position, slot in enumerate(slots):
                if slot.operator == operator:
                    return role, position
        return None

    def _slot_of_sender(self) -> tuple[Role, int]:
        place = self._place(self.sender)
        if place is None:
            refuse("Slots_NoSlot")
        return place

    def _existing(self, role: Role, position: int) -> SlotState:
        slots = self.state.slots[role]
        if position >= len(slots):
            refuse("Slots_NoSlot")
        return slots[position]

    def _open_secret(self, position: int, round: int, secret: Digest) -> None:
        slot = self.state.slots[Role.VERIFIER][position]
        index = round - slot.active_from + 1
        steps = index - slot.opened
        if steps < 1 or not draws.leads_to(secret, slot.secret, steps):
            refuse("Slots_BadSecret")
        slot.secret, slot.opened = secret, index

    def _fine(self, role: Role, position: int, amount: int) -> None:
        """Burns. What is left has to cover a slash, or the slot is out of the next round."""
        stake = self._stake(role, position)
        self._burn(stake, payouts.fine(self.balance(stake), amount))
        if self.balance(stake) < rules.slash_limit(self.money, role):
            self._eject(role, position)

    def _slash(self, role: Role, position: int, *, bounty_to: Digest | None) -> int:
        """The bounty; without an account for it everything burns."""
        stake = self._stake(role, position)
        taken, bounty, burned = rules.slash_of(self.money, role, self.balance(stake))
        self.state.slots[role][position].convicted = True
        self._eject(role, position)
        if bounty_to is None:
            bounty, burned = 0, taken
        else:
            self._move(stake, bounty_to, bounty)
        self._burn(stake, burned)
        return bounty

    def _strike(self, role: Role, position: int, round: int) -> bool:
        """Whether it is the third that counts."""
        slot = self.state.slots[role][position]
        slot.strikes = rules.strike(slot.strikes, round)
        return len(slot.strikes) == rules.STRIKES

    def _eject(self, role: Role, position: int) -> None:
        slot = self.state.slots[role][position]
        if slot.active_to == FOREVER:
            slot.active_to = self.next_round()
