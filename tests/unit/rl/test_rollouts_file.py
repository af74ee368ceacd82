from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.models import REVERSE, config, llama, tokenizer

from kizuna import tensors
from kizuna.errors import ContentMalformed, LimitExceeded
from kizuna.rl.rollouts import Group, decode_rollouts, encode_rollouts, generate, prompt_ids, receipts_of
from kizuna.toploc.receipts import Receipt

CONFIG = config()


def work(segment: int = 0) -> tuple[list[Group], list[Receipt]]:
    groups = generate(llama(), CONFIG, segment, tokenizer=tokenizer(), environment=REVERSE)
    receipts = []
    for group in groups:
        prompt = prompt_ids(CONFIG, group.index, tokenizer=tokenizer(), environment=REVERSE)
        receipts += receipts_of(group, prompt, CONFIG)
    return groups, receipts


GROUPS, RECEIPTS = work()
FILE = encode_rollouts(GROUPS)


def decoded(data: bytes = FILE, receipts: list[Receipt] = RECEIPTS) -> list[Group]:
    return decode_rollouts(data, receipts, CONFIG, vocab=64)


def rewritten(**changes: np.ndarray) -> bytes:
    return tensors.dump(tensors.load(FILE, max_bytes=10**6) | changes)


def test_a_rollouts_file_reads_back_to_the_groups_it_was_written_from() -> None:
    assert encode_rollouts(decoded()) == FILE
    for mine, theirs in zip(GROUPS, decoded(), strict=True):
        assert (mine.index, mine.proof) == (theirs.index, theirs.proof)
        for a, b in zip(mine.rollouts, theirs.rollouts, strict=True):
            assert a.tokens.tolist() == b.tokens.tolist() and a.logprobs.tolist() == b.logprobs.tolist()
            assert (a.finish, a.reward) == (b.finish, b.reward)


def test_receipts_are_contiguous_and_name_step_group_and_policy() -> None:
    _, second = work(segment=1)
    both = RECEIPTS + second
    assert [receipt.index for receipt in both] == list(range(32))
    assert [receipt.group for receipt in both] == [i // 4 for i in range(32)]
    assert [receipt.step for receipt in both] == [i // 8 for i in range(32)]
    assert [receipt.policy for receipt in both] == [i // 16 for i in range(32)]
    assert {len({receipt.proof_hash for receipt in both[i : i + 4]}) for i in range(0, 32, 4)} == {1}


def test_groups_are_numbered_by_place_whatever_number_their_receipts_claim() -> None:
    claimed = [replace(receipt, group=receipt.group + 5) for receipt in RECEIPTS]
    assert [group.index for group in decoded(receipts=claimed)] == [0, 1, 2, 3]


@pytest.mark.parametrize("count", [0, 7])
def test_a_receipt_of_no_tokens_or_of_more_than_the_limit_is_refused(count: int) -> None:
    """An empty completion is neither paid nor counted as work: nothing that claims one is read at all."""
    with pytest.raises(ContentMalformed, match="within the limit"):
        decoded(receipts=[replace(RECEIPTS[0], token_count=count), *RECEIPTS[1:]])


def test_a_broken_group_is_refused() -> None:
    with pytest.raises(ContentMalformed, match="whole groups"):
        decoded(receipts=RECEIPTS[:-1])


def test_contents_that_cannot_be_right_are_refused() -> None:
    parts = tensors.load(FILE, max_bytes=10**6)
    nan = parts["logprobs"].copy()
    nan[0] = np.nan
    for wrong in (
        rewritten(tokens=np.where(parts["tokens"] == parts["tokens"][0], 64, parts["tokens"]).astype(np.int32)),
        rewritten(tokens=-parts["tokens"] - 1),
        rewritten(tokens=parts["tokens"][:-1]),
        rewritten(logprobs=nan),
        rewritten(logprobs=parts["logprobs"].astype(np.float64)),
        rewritten(proofs=parts["proofs"][:-258]),
        rewritten(more=parts["tokens"]),
    ):
        with pytest.raises(ContentMalformed):
            decoded(wrong)
    with pytest.raises(LimitExceeded):
        decoded(FILE + bytes(10**5))
