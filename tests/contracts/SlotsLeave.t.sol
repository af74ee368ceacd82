// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISlots} from "../../contracts/interfaces/ISlots.sol";
import {Role} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";

contract SlotsLeaveTest is Fixture {
    function setUp() public override {
        super.setUp();
        joinAll();
    }

    function stillActive(Role role, uint8 position, uint32 until) private view returns (bytes memory) {
        return abi.encodeWithSelector(ISlots.Slots_StillActive.selector, task, role, position, until);
    }

    function test_owner_or_operator_leaves_at_the_next_open() public {
        vm.prank(trainer(0));
        slots.exit(task, Role.TRAINER, 0);
        vm.prank(verifierOwner(1));
        slots.exit(task, Role.VERIFIER, 1);
        vm.roll(tasks.params(task).startBlock);
        openRound(1);
        vm.assertEq(view_(1).trainers, 14, "trainers");
        vm.assertEq(view_(1).verifiers, 29, "verifiers");
    }

    function test_nobody_else_sends_a_slot_away() public {
        bytes memory refusal = abi.encodeWithSelector(ISlots.Slots_NotOwner.selector, task, Role.TRAINER, 0, STRANGER);
        vm.expectRevert(refusal);
        vm.prank(STRANGER);
        slots.exit(task, Role.TRAINER, 0);
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_NoSlot.selector, task, STRANGER));
        vm.prank(STRANGER);
        slots.exit(task, Role.TRAINER, 7);
    }

    function test_nobody_leaves_twice() public {
        vm.startPrank(trainer(0));
        slots.exit(task, Role.TRAINER, 0);
        vm.expectRevert(stillActive(Role.TRAINER, 0, 1));
        slots.exit(task, Role.TRAINER, 0);
    }

    function test_a_stake_returns_once_the_last_round_served_is_settled() public {
        vm.expectRevert(stillActive(Role.TRAINER, 0, type(uint32).max));
        slots.withdrawStake(task, Role.TRAINER, 0);
        openRound(1);
        vm.prank(trainer(0));
        slots.exit(task, Role.TRAINER, 0);
        commitAll(1);
        attestAll(1);
        seal(1);
        voteAll(1);
        revealAll(1);
        vm.expectRevert(stillActive(Role.TRAINER, 0, 2));
        slots.withdrawStake(task, Role.TRAINER, 0);
        settle(1);
        uint256 before = free(trainerOwner(0));
        vm.prank(STRANGER);
        slots.withdrawStake(task, Role.TRAINER, 0);
        vm.assertEq(free(trainerOwner(0)), before + 10e18, "returned to the owner");
        slots.withdrawStake(task, Role.TRAINER, 0);
        vm.assertEq(free(trainerOwner(0)), before + 10e18, "and only once");
        vm.assertEq(claim(Role.TRAINER, 0, 1), 1e18, "what it earned is still its own");
    }

    function test_who_leaves_before_serving_gets_its_stake_at_once() public {
        vm.prank(trainerOwner(0));
        slots.exit(task, Role.TRAINER, 0);
        slots.withdrawStake(task, Role.TRAINER, 0);
        vm.assertEq(free(trainerOwner(0)), PURSE, "returned");
    }

    function test_a_slot_that_never_was_has_no_stake() public {
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_NoSlot.selector, task, address(this)));
        slots.withdrawStake(task, Role.VERIFIER, 77);
    }

    function test_the_seat_of_a_leaver_is_not_given_to_another() public {
        vm.prank(trainerOwner(3));
        slots.exit(task, Role.TRAINER, 3);
        vm.assertEq(joinTrainer(4), 4, "next position");
    }
}
