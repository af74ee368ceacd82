// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISlots} from "../../contracts/interfaces/ISlots.sol";
import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {Role, TaskParams} from "../../contracts/libraries/Types.sol";
import {Ledger} from "./Ledger.sol";
import {Params} from "./Params.sol";

/// Fines, strikes and slashes, called as the core contracts call them.
contract SlotsPunishTest is Ledger {
    bytes32 private bounties;

    function setUp() public override {
        super.setUp();
        bounties = Accounts.docketPot(task, 1, 1);
    }

    modifier asCourt() {
        vm.startPrank(address(court));
        _;
        vm.stopPrank();
    }

    function slash(Role role, uint8 position) private returns (uint256) {
        return slots.slash(task, role, position, 1, bounties);
    }

    function test_only_the_core_punishes_and_freezes() public {
        bytes memory refusal = abi.encodeWithSelector(ISlots.Slots_NotCore.selector, STRANGER);
        vm.startPrank(STRANGER);
        vm.expectRevert(refusal);
        slots.fine(task, Role.TRAINER, 0, 1, 1, "x");
        vm.expectRevert(refusal);
        slots.slash(task, Role.TRAINER, 0, 1, 0);
        vm.expectRevert(refusal);
        slots.strike(task, Role.TRAINER, 0, 1);
        vm.expectRevert(refusal);
        slots.eject(task, Role.TRAINER, 0);
        vm.expectRevert(refusal);
        slots.freeze(task, 1);
    }

    function test_a_fine_burns() public {
        joinTrainer(0);
        vm.prank(address(rounds));
        slots.fine(task, Role.TRAINER, 0, 1, 3e18, "commit");
        vm.assertEq(stakeOf(Role.TRAINER, 0), 7e18, "stake");
        vm.assertEq(burned(), 3e18, "burned");
        vm.assertEq(slots.slot(task, Role.TRAINER, 0).activeTo, type(uint32).max, "stays");
    }

    function test_a_fine_thwhenleaves_less_than_a_slash_ejects() public {
        joinTrainer(0);
        vm.prank(address(rounds));
        slots.fine(task, Role.TRAINER, 0, 1, 5e18 + 1, "commit");
        vm.assertEq(slots.slot(task, Role.TRAINER, 0).activeTo, 1, "out at the next open");
        (uint64 trainers,) = slots.ready(task);
        vm.assertEq(trainers, 0, "not ready");
        vm.assertTrue(!slots.slot(task, Role.TRAINER, 0).convicted, "no conviction");
    }

    function test_a_fine_takes_no_more_than_the_stake() public {
        joinTrainer(0);
        vm.startPrank(address(rounds));
        slots.fine(task, Role.TRAINER, 0, 1, 11e18, "commit");
        slots.fine(task, Role.TRAINER, 0, 1, 11e18, "commit");
        vm.assertEq(burned(), 10e18, "burned");
    }

    function test_a_slash_pays_the_capped_bounty_burns_the_rest_and_convicts() public {
        joinTrainer(0);
        vm.expectEmit();
        emit ISlots.Slashed(task, Role.TRAINER, 0, 1, 5e18, 0.5e18);
        vm.prank(address(court));
        vm.assertEq(slash(Role.TRAINER, 0), 0.5e18, "bounty");
        vm.assertEq(held(bounties), 0.5e18, "in the docket's pot");
        vm.assertEq(burned(), 4.5e18, "burned");
        vm.assertEq(slots.convicted(task, Role.TRAINER), 1, "convicted");
        vm.assertTrue(slots.slot(task, Role.TRAINER, 0).convicted, "in its slot too");
        vm.assertEq(slots.slot(task, Role.TRAINER, 0).activeTo, 1, "ejected");
    }

    function test_without_a_challenger_all_of_a_slash_burns() public {
        joinVerifier(0);
        vm.prank(address(court));
        vm.assertEq(slots.slash(task, Role.VERIFIER, 0, 1, 0), 0, "no bounty");
        vm.assertEq(burned(), 5e18, "burned");
        vm.assertEq(slots.convicted(task, Role.VERIFIER), 1, "convicted");
    }

    /// CH-12, in the contract: stakes of 1 to 10,000 wei, slashed a thousandth at a time.
    function testFuzz_a_tiny_stake_loses_a_wei_whenleast_and_never_more_than_it_is(uint256 stake) public {
        stake = bound(stake, 1, 10_000);
        TaskParams memory p = Params.demo(address(token), address(beacon));
        uint128 cut = uint128((stake + 999) / 1000);
        (p.money.trainerStake, p.money.trainerSlash, p.money.trainerBountyCap) = (uint128(stake), cut, cut / 10);
        (p.money.missedDuty, p.money.withheld) = (1, 1);
        task = list(p);
        joinTrainer(0);
        uint256 left = stake;
        for (uint256 i; i < 40 && left > 0; ++i) {
            (uint256 ash, uint256 paid) = (burned(), held(bounties));
            vm.prank(address(court));
            uint256 bounty = slash(Role.TRAINER, 0);
            uint256 taken = left - stakeOf(Role.TRAINER, 0);
            vm.assertTrue(taken >= 1 && taken <= left, "at least a wei, never more than there is");
            vm.assertEq(taken, burned() - ash + bounty, "taken = burned + paid");
            vm.assertEq(held(bounties) - paid, bounty, "paid");
            left -= taken;
        }
    }

    function test_an_empty_stake_can_be_slashed_and_gives_nothing() public {
        joinTrainer(0);
        vm.startPrank(address(court));
        slash(Role.TRAINER, 0);
        slash(Role.TRAINER, 0);
        vm.assertEq(stakeOf(Role.TRAINER, 0), 0, "empty");
        vm.assertEq(slash(Role.TRAINER, 0), 0, "no bounty");
    }

    function test_the_third_strike_within_100_rounds_counts() public asCourt {
        vm.assertTrue(!slots.strike(task, Role.TRAINER, 0, 1), "first");
        vm.assertTrue(!slots.strike(task, Role.TRAINER, 0, 50), "second");
        vm.assertTrue(slots.strike(task, Role.TRAINER, 0, 100), "third");
    }

    function test_strikes_are_forgotten_after_100_rounds() public asCourt {
        slots.strike(task, Role.TRAINER, 0, 1);
        slots.strike(task, Role.TRAINER, 0, 2);
        vm.assertTrue(!slots.strike(task, Role.TRAINER, 0, 102), "too late to be the third");
        vm.assertEq(slots.slot(task, Role.TRAINER, 0).strikes, 1, "counts anew");
    }

    function test_any_three_strikes_within_100_rounds_count_not_only_those_after_the_first() public asCourt {
        slots.strike(task, Role.TRAINER, 0, 1);
        slots.strike(task, Role.TRAINER, 0, 90);
        vm.assertTrue(!slots.strike(task, Role.TRAINER, 0, 150), "the first is forgotten");
        vm.assertEq(slots.slot(task, Role.TRAINER, 0).firstStrike, 90, "the second is the oldest now");
        vm.assertTrue(slots.strike(task, Role.TRAINER, 0, 189), "90, 150 and 189");
    }

    function testFuzz_strikes_are_counted_as_a_list_of_them_would_be(uint8[12] calldata gaps) public asCourt {
        uint32[12] memory when;
        uint32 round = 1;
        for (uint256 i; i < 12; ++i) {
            round += gaps[i] % 80;
            when[i] = round;
            bool third = i >= 2 && round - when[i - 2] < 100;
            vm.assertTrue(slots.strike(task, Role.TRAINER, 0, round) == third, "third of 100 rounds");
            if (third) return;
        }
    }
}
