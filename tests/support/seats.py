"""Whole verifiers on the tiny task, stepped block by block against the real contracts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from kizuna.chain.structs import RoundView
from kizuna.node.agent import Node
from kizuna.store import DAG_CBOR, Cid
from kizuna.types import Phase, Role
from support.training import World, committed_by
from verifier.agent import Verifier

NAMES = ("ada", "bob", "cyd", "dee")


class Seats:
    """Running verifiers, stepped in turn at the newest block."""

    def __init__(self, here: World, stack: ExitStack, *, lazy: str = "") -> None:
        self.here, self.stack, self.lazy = here, stack, lazy
        self.nodes: dict[str, Node] = {}
        self.agents: dict[str, Verifier] = {}
        for name in NAMES:
            self.start(name)

    def start(self, name: str) -> None:
        self.nodes[name] = self.stack.enter_context(self.here.node(name, Role.VERIFIER))
        self.agents[name] = Verifier(self.nodes[name], is_lazy=name == self.lazy)

    def restart(self, name: str) -> None:
        """A new process on the state that the old one left."""
        self.nodes[name].__exit__(None, None, None)
        self.start(name)

    def step(self) -> None:
        for name in NAMES:
            node = self.nodes[name]
            self.agents[name].step(node.chain.at(node.chain.block))

    def until(self, done: Callable[[], bool], blocks: int = 150) -> None:
        for _ in range(blocks):
            if done():
                return
            self.step()
            self.here.devnet.mine(1)
        raise AssertionError(f"not reached: {self.view()}")

    def until_phase(self, phase: Phase) -> None:
        self.until(lambda: self.view().phase >= phase)

    def view(self) -> RoundView:
        return self.here.chain.round(self.here.task, 1)

    def position(self, name: str) -> int:
        position = self.agents[name].position
        assert position is not None
        return position


def seated(here: World, stack: ExitStack, *, lazy: str = "") -> tuple[Seats, Cid]:
    """Four verifiers in their seats and one honest contribution, committed and mirrored."""
    seats = Seats(here, stack, lazy=lazy)
    seats.step()
    (digest,) = committed_by(here, 0)
    return seats, Cid(digest, DAG_CBOR)
