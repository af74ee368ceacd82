from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from kizuna import draws
from kizuna.draws import Draw, DrawKind
from kizuna.hashing import keccak, tagged

DRAW = Draw(task=7, round=3, beacon=keccak(b"beacon"), kind=DrawKind.SEGMENT, secret=keccak(b"secret"), seat=2, slot=5)


def test_a_word_hashes_every_field_in_the_documented_order() -> None:
    types = ["bytes32", "uint256", "uint256", "bytes32", "bytes32", "uint256", "uint256", "uint256", "uint256"]
    fields = [keccak(b"kizuna.draw.v1"), 7, 3, keccak(b"beacon"), keccak(b"secret"), 2, 5, 2, 9]
    assert draws.word(DRAW, 9) == int.from_bytes(keccak(encode(types, fields)), "big")


def test_every_field_changes_the_draw() -> None:
    others = [
        replace(DRAW, task=8),
        replace(DRAW, round=4),
        replace(DRAW, beacon=bytes(32)),
        replace(DRAW, kind=DrawKind.ROLLOUT),
        replace(DRAW, secret=bytes(32)),
        replace(DRAW, seat=3),
        replace(DRAW, slot=6),
    ]
    assert len({draws.word(one) for one in [DRAW, *others]}) == 8


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 2**32))
def test_a_sample_is_distinct_in_range_and_a_prefix_of_a_larger_one(n: int, k: int, task: int) -> None:
    draw = replace(DRAW, task=task)
    values = draws.sample(draw, n, k)
    assert len(values) == len(set(values)) == min(n, k)
    assert all(0 <= value < n for value in values)
    if k + 1 < n:
        assert draws.sample(draw, n, k + 1)[:k] == values


def test_a_sample_is_the_walk_of_below_without_repeats() -> None:
    walk = [draws.word(DRAW, i) & 15 for i in range(200)]
    expected = list(dict.fromkeys(value for value in walk if value < 11))
    assert list(draws.sample(DRAW, 11, 6)) == expected[:6]
    assert draws.below(DRAW, 11) == expected[0]


def test_everything_is_drawn_in_ascending_order_when_k_reaches_n() -> None:
    assert draws.sample(DRAW, 5, 5) == draws.sample(DRAW, 5, 9) == (0, 1, 2, 3, 4)
    assert draws.sample(DRAW, 0, 3) == ()


def test_nothing_can_be_drawn_from_nothing() -> None:
    with pytest.raises(ValueError):
        draws.below(DRAW, 0)


def test_every_value_is_drawn_about_equally_often() -> None:
    # 5 of 8 three-bit words are below 5; modulo would draw 0, 1 and 2 twice as often as 3 and 4.
    counts = Counter(draws.below(replace(DRAW, seat=seat), 5) for seat in range(5000))
    assert all(850 < counts[value] < 1150 for value in range(5))


def test_a_committee_is_drawn_over_the_ranks_of_active_positions() -> None:
    active = [3, 10, 11, 40, 41, 200]
    members = draws.committee(DrawKind.CHECK, active, 3, task=1, round=2, beacon=bytes(32), shard=4)
    ranks = draws.sample(Draw(1, 2, bytes(32), DrawKind.CHECK, slot=4), 6, 3)
    assert members == tuple(active[rank] for rank in ranks)


def test_a_committee_of_unordered_positions_is_refused() -> None:
    with pytest.raises(ValueError):
        draws.committee(DrawKind.CHECK, [2, 1], 1, task=1, round=2, beacon=bytes(32), shard=0)


def test_groups_are_numbered_within_the_round() -> None:
    seat = {"task": 1, "round": 2, "seat": 3, "slot": 4}
    seal, secret = keccak(b"seal"), keccak(b"secret")
    items = draws.groups(2, 10, 4, seal=seal, secret=secret, **seat)
    assert len(set(items)) == 4 and all(20 <= item < 30 for item in items)
    first = draws.segments(3, 1, seal=seal, secret=secret, **seat)
    assert first == draws.sample(Draw(1, 2, seal, DrawKind.SEGMENT, secret, 3, 4), 3, 1)


def test_audit_rates_of_none_and_all() -> None:
    for seat in range(50):
        assert not draws.audited(0, task=1, round=1, audit=bytes(32), seat=seat)
        assert draws.audited(1 << 32, task=1, round=1, audit=bytes(32), seat=seat)


def test_an_audit_without_a_passed_item_has_no_sample() -> None:
    assert 0 <= draws.audit_sample(2, 3, task=1, round=1, audit=bytes(32), seat=0) < 6
    with pytest.raises(ValueError):
        draws.audit_sample(0, 3, task=1, round=1, audit=bytes(32), seat=0)


def test_a_secret_chain_comes_back_after_a_restart() -> None:
    chain = draws.secret_chain(bytes(32), 20, context=(1, 2))
    again = draws.secret_chain(bytes(32), 20, context=(1, 2))
    assert chain.tip == again.tip and chain.secret(9, active_from=4) == again.link(6)
    assert chain.link(20) == tagged("kizuna.secrets.v1", keccak(bytes(32)), 1, 2)


def test_a_second_join_gets_other_secrets() -> None:
    assert draws.secret_chain(bytes(32), 5, context=(1,)).tip != draws.secret_chain(bytes(32), 5, context=(2,)).tip


def test_opened_secrets_lead_to_the_tip_and_do_not_shift_with_missed_rounds() -> None:
    chain = draws.secret_chain(bytes(32), 300)
    assert draws.leads_to(chain.secret(10, active_from=10), chain.tip, 1)
    assert draws.leads_to(chain.secret(17, active_from=10), chain.secret(12, active_from=10), 5)
    assert not draws.leads_to(chain.link(3), chain.tip, 2)
    assert not draws.leads_to(chain.link(257), chain.tip, 257)
    assert not draws.leads_to(b"short", b"short", 0)


def test_the_public_tip_and_rounds_past_the_chain_are_not_secrets() -> None:
    chain = draws.secret_chain(bytes(32), 4)
    assert len(chain) == 4
    for k in (-1, 0, 5):
        with pytest.raises(IndexError):
            chain.link(k)
