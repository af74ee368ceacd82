// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Check, Role, Ruling, TaskParams} from "../../contracts/libraries/Types.sol";
import {Ledger} from "./Ledger.sol";
import {Params} from "./Params.sol";

/// Several challengers, several items, several accused.
contract CourtSharesTest is Ledger {
    uint8 private constant CLEAN = uint8(Ruling.CLEAN);
    uint8 private constant GROSS = uint8(Ruling.GUILTY_GROSS);
    uint8 private constant UNSURE = uint8(Ruling.INDETERMINATE);

    uint256 private a;
    uint256 private b;
    uint256 private c;

    function start(uint128 cap) private {
        deploy();
        TaskParams memory p = Params.demo(address(token), address(beacon));
        p.money.trainerBountyCap = cap;
        task = list(p);
        joinAll();
        toVote(1);
        (a, b, c) = (checker(1, 0), checker(1, 1), checker(1, 2));
    }

    function setUp() public override {
        start(0.5e18);
    }

    function open() private {
        voteAll(1);
        revealAll(1);
    }

    /// Everybody rules the same on each dispute.
    function rule(uint8 x, uint8 y) private {
        uint8[] memory rulings = new uint8[](docket(1, 1).disputes);
        rulings[0] = x;
        if (rulings.length > 1) rulings[1] = y;
        judge(1, 1, rulings);
    }

    function purse(uint256 seat) private view returns (uint256) {
        return free(verifierOwner(seat));
    }

    function finish(uint64 paid) private {
        settle(1);
        vm.assertEq(view_(1).paid, paid, "paid");
        claimAll(1);
        vm.assertEq(unclaimed(1), 0, "pot");
        assertBooks();
    }

    function test_challengers_of_a_convicted_item_share_the_bounty_and_the_dust_burns() public {
        start(100);
        plan(1, a, 0, Check.UPDATE, 0);
        plan(1, b, 0, Check.UPDATE, 0);
        plan(1, c, 0, Check.UPDATE, 0);
        open();
        rule(GROSS, 0);
        vm.assertEq(purse(a), 30e18 + 33, "a, who may not sit");
        vm.assertEq(purse(b), 30.3e18 + 33, "b, who sat, too");
        vm.assertEq(burned(), 5e18 - 99, "dust burns");
        finish(14);
    }

    function test_who_challenged_the_wrong_item_of_a_cheat_loses_its_bond_and_shares_nothing() public {
        plan(1, a, 0, Check.UPDATE, 0);
        plan(1, b, 0, Check.ENCODE, 0);
        open();
        rule(GROSS, CLEAN);
        vm.assertEq(stakeOf(Role.TRAINER, 0), 5e18, "slashed once");
        vm.assertEq(purse(a), 30e18 + 0.5e18 + 0.3e18, "bond, the whole bounty, and a fee for the other item");
        vm.assertEq(purse(b), 25.5e18 + 0.3e18, "bond lost, fee earned");
        vm.assertEq(free(trainerOwner(0)), 30e18, "a convict is not indemnified");
        vm.assertEq(slots.slot(task, Role.VERIFIER, uint8(b)).activeTo, 2, "ejected");
        finish(14);
    }

    function test_who_was_right_once_about_a_seat_keeps_its_bond() public {
        plan(1, a, 0, Check.UPDATE, 0);
        plan(1, a, 0, Check.ENCODE, 0);
        open();
        rule(CLEAN, GROSS);
        vm.assertEq(purse(a), 30.5e18, "bond and bounty");
        finish(14);
    }

    function test_a_seat_is_cleared_only_if_all_of_its_items_are() public {
        plan(1, a, 0, Check.UPDATE, 0);
        plan(1, b, 0, Check.ENCODE, 0);
        open();
        rule(CLEAN, UNSURE);
        vm.assertEq(free(trainerOwner(0)), 30e18, "not cleared");
        vm.assertEq(purse(a), 25.5e18 + 0.3e18, "a is dismissed all the same");
        vm.assertEq(purse(b), 30e18 + 0.3e18, "b gets its bond back");
        finish(14);
    }

    function test_each_lost_bond_indemnifies_the_cleared_trainer() public {
        plan(1, a, 0, Check.UPDATE, 0);
        plan(1, b, 0, Check.UPDATE, 0);
        open();
        rule(CLEAN, 0);
        vm.assertEq(free(trainerOwner(0)), 34e18, "twice");
        vm.assertEq(burned(), 9e18 - 4e18 - 4 * 0.3e18, "less the jury of four");
        finish(15);
    }

    function test_two_accused_of_one_docket_are_judged_apart() public {
        plan(1, a, 0, Check.UPDATE, 0);
        plan(1, a, 2, Check.UPDATE, 0);
        open();
        rule(GROSS, CLEAN);
        (, uint64 guilty, uint64 cleared,) = court.outcome(task, 1);
        vm.assertEq(guilty, 1, "guilty");
        vm.assertEq(cleared, 4, "cleared");
        vm.assertEq(purse(a), 30e18 + 0.5e18 - 4.5e18, "one bond back, one lost");
        vm.assertEq(purse(b), 30.6e18, "a fee for each");
        finish(14);
    }

    function test_a_juror_is_paid_only_if_right_on_all_items_of_a_seat() public {
        plan(1, a, 0, Check.UPDATE, 0);
        plan(1, a, 0, Check.ENCODE, 0);
        open();
        uint8[] memory most = same(1, 1, Ruling.GUILTY_GROSS);
        uint8[] memory half = same(1, 1, Ruling.GUILTY_GROSS);
        half[1] = CLEAN;
        for (uint256 i; i < 5; ++i) {
            if (i != a) jcommit(1, 1, i, i == b ? half : most);
        }
        for (uint256 i; i < 5; ++i) {
            if (i != a) jreveal(1, 1, i, i == b ? half : most);
        }
        vm.assertEq(purse(b), 30e18, "wrong on one");
        vm.assertEq(purse(c), 30.3e18, "one fee for the seat");
        finish(14);
    }

    function test_fees_of_a_jury_beyond_the_convicts_price_come_out_of_the_reserve() public {
        plan(1, a, 0, Check.UPDATE, 0);
        open();
        rule(GROSS, 0);
        vm.assertEq(court.spentOf(task, 1), 1e18, "no more than its price");
        uint256 ash = burned();
        finish(14);
        vm.assertEq(burned(), ash, "nothing of it is left to burn");
    }

    function test_a_ruling_where_the_juror_may_not_sit_does_not_count() public {
        plan(1, a, 0, Check.UPDATE, 0);
        plan(1, b, 2, Check.UPDATE, 0);
        open();
        for (uint256 i; i < 5; ++i) {
            jcommit(1, 1, i, same(1, 1, i == a || i == b ? Ruling.GUILTY_GROSS : Ruling.CLEAN));
        }
        for (uint256 i; i < 5; ++i) {
            jreveal(1, 1, i, same(1, 1, i == a || i == b ? Ruling.GUILTY_GROSS : Ruling.CLEAN));
        }
        assertRuled(1, 1, 0, Ruling.CLEAN);
        assertRuled(1, 1, 1, Ruling.CLEAN);
    }
}
