"""A sender that survives lost answers, forgetful pools, reverts and odd fee markets, on a real chain behind a proxy.

Others failed on "already known" (nucypher/nucypher#2398), flooded the node (polyswarm/polyswarm-client#379) or never
got a dropped transaction in (foundry-rs/foundry#13352).
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount
from support.proxy import Forward, Proxy, Reply, Request, error, lagging, lose_answer

from kizuna.chain import Call, DeadlinePassed, Devnet, Journal, Outbox, Rpc, Unconfirmed
from kizuna.chain.errors import RevertedSilently
from kizuna.errors import ConfigError, OutboxBusy, Reverted, RpcStale, Unfunded

COUNTER = "0x" + "c0" * 20
COUNTER_CODE = "0x600054600101600055"  # adds 1 to storage slot 0
REFUSING = "0x" + "c1" * 20
REENTRANT = "3ee5aeb5"  # ReentrancyGuardReentrantCall()


class Miner:
    """Stands in for the passing of time: every wait of the outbox mines a block."""

    def __init__(self, devnet: Devnet, limit: int = 400) -> None:
        self.devnet, self.waits, self.limit = devnet, 0, limit
        self.before: dict[int, object] = {}

    def __call__(self, seconds: float) -> None:
        self.waits += 1
        assert self.waits < self.limit, "the outbox polls without bound"
        self.devnet.mine()


@pytest.fixture
def manual() -> Iterator[Devnet]:
    with Devnet(mining="manual") as running:
        running.control("anvil_setCode", COUNTER, COUNTER_CODE)
        yield running


@pytest.fixture
def alice(manual: Devnet) -> LocalAccount:
    return manual.account("alice")


def count(devnet: Devnet, address: str = COUNTER) -> int:
    return int(devnet.control("eth_getStorageAt", address, "0x0", "latest"), 16)


def outbox(rpc: Rpc, account: LocalAccount, devnet: Devnet, path: Path | str = ":memory:", **options: object) -> Outbox:
    return Outbox(Journal(path), rpc, account, sleep=Miner(devnet), **options)  # type: ignore[arg-type]


CALL = Call(COUNTER, b"")


def test_intent_is_done_once_however_often_it_is_sent(manual: Devnet, alice: LocalAccount) -> None:
    box = outbox(manual.rpc(), alice, manual)
    first = box.send("commit/1/1", CALL)
    assert box.send("commit/1/1", CALL) == first
    assert count(manual) == 1
    assert box.pending() == []


def test_outcome_survives_a_restart(manual: Devnet, alice: LocalAccount, tmp_path: Path) -> None:
    box = outbox(manual.rpc(), alice, manual, tmp_path / "box.sqlite")
    first = box.send("commit/1/1", CALL)
    box.close()
    again = outbox(manual.rpc(), alice, manual, tmp_path / "box.sqlite")
    assert again.recover() == []
    assert again.send("commit/1/1", CALL) == first
    again.close()
    assert count(manual) == 1


def test_lost_answer_to_a_send_leads_to_one_transaction(manual: Devnet, alice: LocalAccount) -> None:
    with Proxy(manual.url) as proxy:
        proxy.on("eth_sendRawTransaction", lose_answer, times=1)
        box = outbox(Rpc(proxy.url), alice, manual)
        receipt = box.send("commit/1/1", CALL, deadline_block=20)
        sent = {request["params"][0] for request in proxy.seen if request["method"] == "eth_sendRawTransaction"}
    assert receipt.status == 1
    assert len(sent) == 1
    assert count(manual) == 1


def test_send_that_never_reached_the_node_is_repeated_with_the_same_bytes(manual: Devnet, alice: LocalAccount) -> None:
    with Proxy(manual.url) as proxy:
        proxy.on("eth_sendRawTransaction", error(-32000, "already known"), times=2)
        box = outbox(Rpc(proxy.url), alice, manual)
        box.send("commit/1/1", CALL, deadline_block=20)
        sent = [request["params"][0] for request in proxy.seen if request["method"] == "eth_sendRawTransaction"]
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert count(manual) == 1


def test_transaction_dropped_from_the_pool_is_sent_again_unchanged(manual: Devnet, alice: LocalAccount) -> None:
    box = outbox(manual.rpc(), alice, manual)
    box.submit("commit/1/1", CALL, deadline_block=20)
    (waiting,) = box.pending()
    assert waiting.deadline_block == 20
    manual.control("anvil_dropTransaction", "0x" + waiting.versions[0].hex())
    manual.mine()
    assert box.wait("commit/1/1").transaction == waiting.versions[0]
    assert count(manual) == 1


def test_crash_between_writing_and_sending_loses_nothing(manual: Devnet, alice: LocalAccount, tmp_path: Path) -> None:
    with Proxy(manual.url) as proxy:
        proxy.on("eth_sendRawTransaction", error(-32000, "no"))
        box = outbox(Rpc(proxy.url), alice, manual, tmp_path / "box.sqlite")
        box.submit("commit/1/1", CALL)
        box.close()
    again = outbox(manual.rpc(), alice, manual, tmp_path / "box.sqlite")
    (waiting,) = again.recover()
    manual.mine()
    assert again.recover() == []
    assert again.send("commit/1/1", CALL).transaction == waiting.versions[0]
    again.close()


def test_stuck_transaction_is_replaced_by_one_that_pays_more(manual: Devnet, alice: LocalAccount) -> None:
    box = outbox(manual.rpc(), alice, manual)
    box.submit("commit/1/1", CALL)
    # Now the base fee is above what was offered.
    manual.control("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
    manual.mine()
    receipt = box.wait("commit/1/1")
    assert receipt.status == 1
    assert count(manual) == 1


def test_transaction_past_its_deadline_is_withdrawn_and_later_ones_go_on(manual: Devnet, alice: LocalAccount) -> None:
    box = outbox(manual.rpc(), alice, manual, stuck_blocks=100)
    box.submit("commit/1/1", CALL, deadline_block=3)
    manual.control("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
    manual.mine(4)
    with pytest.raises(DeadlinePassed, match="commit/1/1"):
        box.wait("commit/1/1")
    assert count(manual) == 0
    assert box.send("commit/1/2", CALL).status == 1
    assert count(manual) == 1


def test_deadline_that_has_passed_already_signs_nothing(manual: Devnet, alice: LocalAccount) -> None:
    manual.mine(5)
    box = outbox(manual.rpc(), alice, manual)
    with pytest.raises(DeadlinePassed):
        box.send("commit/1/1", CALL, deadline_block=5)
    assert box.pending() == []


def test_nonce_used_by_another_wallet_does_not_lose_the_intent(manual: Devnet, alice: LocalAccount) -> None:
    with Proxy(manual.url) as proxy:
        proxy.on("eth_sendRawTransaction", error(-32000, "no"), times=1)
        box = outbox(Rpc(proxy.url), alice, manual)
        box.submit("commit/1/1", CALL)
        other = outbox(manual.rpc(), alice, manual)
        other.send("elsewhere", Call(COUNTER, b"other bytes"))
        with pytest.raises(Unconfirmed, match="another wallet"):
            box.wait("commit/1/1")
        assert box.send("commit/1/1", CALL).status == 1
    assert count(manual) == 2


def test_node_that_lags_on_every_second_call_leads_to_no_double_send(manual: Devnet, alice: LocalAccount) -> None:
    manual.mine(10)
    with Proxy(manual.url) as proxy:
        proxy.on("*", lagging())
        box = outbox(Rpc(proxy.url, sleep=lambda seconds: None), alice, manual)
        for i in range(5):
            receipt = None
            while receipt is None:
                try:
                    receipt = box.send(f"commit/1/{i}", CALL)
                except RpcStale:
                    manual.mine()  # As an agent does: the next step tries the same intent again.
    assert count(manual) == 5
    assert manual.control("eth_getTransactionCount", alice.address, "latest") == "0x5"


def test_account_without_coins_is_told_what_it_lacks(manual: Devnet) -> None:
    poor = manual.account("poor", ether=0)
    with pytest.raises(Unfunded, match=poor.address):
        outbox(manual.rpc(), poor, manual).send("commit/1/1", CALL)


def test_refused_call_raises_by_name_and_is_not_sent(manual: Devnet, alice: LocalAccount) -> None:
    manual.control("anvil_setCode", REFUSING, reverting(REENTRANT))
    box = outbox(manual.rpc(), alice, manual)
    with pytest.raises(Reverted, match="ReentrancyGuardReentrantCall"):
        box.send("unstake", Call(REFUSING, b""))
    assert box.pending() == []
    assert manual.control("eth_getTransactionCount", alice.address, "latest") == "0x0"


def test_call_that_became_late_raises_the_named_error_and_is_not_repeated(manual: Devnet, alice: LocalAccount) -> None:
    box = outbox(manual.rpc(), alice, manual)
    box.submit("commit/1/1", CALL)
    manual.control("anvil_setCode", COUNTER, reverting(REENTRANT))
    with pytest.raises(Reverted) as caught:
        box.wait("commit/1/1")
    assert type(caught.value).__name__ == "ReentrancyGuardReentrantCall"
    with pytest.raises(Reverted, match="ReentrancyGuardReentrantCall"):
        box.send("commit/1/1", CALL)
    assert manual.control("eth_getTransactionCount", alice.address, "latest") == "0x1"


def test_transaction_out_of_gas_says_so(manual: Devnet, alice: LocalAccount) -> None:
    with pytest.raises(RevertedSilently, match="out of gas"):
        outbox(manual.rpc(), alice, manual).send("commit/1/1", CALL, gas=22_000)


def test_chain_without_base_fee_gets_legacy_transactions(manual: Devnet, alice: LocalAccount) -> None:
    def without_fee(request: Request, forward: Forward) -> Reply:
        answer = forward(request)
        if answer.get("result"):
            answer["result"].pop("baseFeePerGas", None)
        return answer

    with Proxy(manual.url) as proxy:
        for method in ("eth_getBlockByNumber", "eth_getBlockByHash"):
            proxy.on(method, without_fee)
        for method in ("eth_feeHistory", "eth_maxPriorityFeePerGas"):
            proxy.on(method, error(-32601, "the method does not exist"))
        box = outbox(Rpc(proxy.url), alice, manual)
        receipt = box.send("commit/1/1", CALL)
    sent = manual.control("eth_getTransactionByHash", "0x" + receipt.transaction.hex())
    assert sent["type"] == "0x0"


def test_chain_without_fee_methods_still_gets_a_price(manual: Devnet, alice: LocalAccount) -> None:
    with Proxy(manual.url) as proxy:
        for method in ("eth_feeHistory", "eth_maxPriorityFeePerGas"):
            proxy.on(method, error(-32601, "the method does not exist"))
        assert outbox(Rpc(proxy.url), alice, manual).send("commit/1/1", CALL).status == 1


def test_ceiling_below_the_market_waits_and_names_the_deadline(
    manual: Devnet, alice: LocalAccount, caplog: pytest.LogCaptureFixture
) -> None:
    box = outbox(manual.rpc(), alice, manual, max_fee_wei=1)
    with pytest.raises(DeadlinePassed):
        box.send("commit/1/1", CALL, deadline_block=8)
    assert "deadline block 8" in caplog.text
    assert box.pending() == []


def test_threads_get_different_nonces(manual: Devnet, alice: LocalAccount) -> None:
    box = outbox(manual.rpc(), alice, manual)
    threads = [threading.Thread(target=box.submit, args=(f"intent/{i}", CALL)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(p.nonce for p in box.pending()) == list(range(6))
    for i in range(6):
        box.wait(f"intent/{i}")
    assert count(manual) == 6


def test_second_process_with_the_same_key_is_refused(manual: Devnet, alice: LocalAccount, tmp_path: Path) -> None:
    box = outbox(manual.rpc(), alice, manual, tmp_path / "box.sqlite")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_try_to_hold, (tmp_path / "box.sqlite",)) == "OutboxBusy"
    box.close()
    outbox(manual.rpc(), alice, manual, tmp_path / "box.sqlite").close()


def test_journal_of_another_chain_is_refused(manual: Devnet, alice: LocalAccount, tmp_path: Path) -> None:
    outbox(manual.rpc(), alice, manual, tmp_path / "box.sqlite").close()
    fresh = Devnet(mining="manual", extra=("--timestamp", "1700000000"))
    with fresh, pytest.raises(ConfigError, match="another chain"):
        outbox(fresh.rpc(), alice, fresh, tmp_path / "box.sqlite")


def reverting(selector: str) -> str:
    """Code that always reverts with these four bytes."""
    return f"0x63{selector}60e01b60005260046000fd"


def _try_to_hold(path: Path) -> str:
    try:
        Journal(path).hold()
    except OutboxBusy as refused:
        return type(refused).__name__
    return "held"
