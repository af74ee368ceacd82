// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITasks} from "../../contracts/interfaces/ITasks.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {Phase, Role, TaskParams, TaskState} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Params} from "./Params.sol";

contract TasksTest is Fixture {
    function wrongState(TaskState state) private view returns (bytes memory) {
        return abi.encodeWithSelector(ITasks.Tasks_WrongState.selector, task, state);
    }

    function notStalled() private view returns (bytes memory) {
        return abi.encodeWithSelector(ITasks.Tasks_NotStalled.selector, task);
    }

    function test_creation_moves_budget_and_bond_out_of_the_initiators_balance() public {
        TaskParams memory p = Params.demo(address(token), address(beacon));
        uint256 second = list(p, 100e18);
        vm.assertEq(second, task + 1, "ids count up");
        vm.assertEq(held(Accounts.escrow(second)), 100e18, "escrow");
        vm.assertEq(held(Accounts.bond(second)), 8e18, "bond");
        vm.assertEq(free(INITIATOR), 0, "free balance");
        vm.assertEq(tasks.initiatorOf(second), INITIATOR, "initiator");
        vm.assertTrue(tasks.stateOf(second) == TaskState.LISTED, "listed");
        vm.assertEq(keccak256(abi.encode(tasks.params(second))), keccak256(abi.encode(p)), "params");
        vm.assertEq(tasks.tokenOf(second), address(token), "token");
    }

    function test_creation_needs_the_money_to_be_there() public {
        TaskParams memory p = Params.demo(address(token), address(beacon));
        give(STRANGER, 107e18);
        bytes memory refusal =
            abi.encodeWithSelector(IVault.Vault_Insufficient.selector, Accounts.free(STRANGER), 7e18, 8e18);
        vm.expectRevert(refusal);
        vm.prank(STRANGER);
        tasks.createTask(p, 100e18);
    }

    function test_unknown_tasks_have_no_parameters() public {
        bytes memory refusal = abi.encodeWithSelector(ITasks.Tasks_UnknownTask.selector, 99);
        vm.expectRevert(refusal);
        tasks.params(99);
        vm.expectRevert(refusal);
        tasks.moneyOf(99);
        vm.expectRevert(refusal);
        tasks.windowsOf(99);
        vm.expectRevert(refusal);
        tasks.tokenOf(99);
        vm.expectRevert(refusal);
        tasks.fund(99, 1);
        vm.expectRevert(refusal);
        tasks.finish(99);
    }

    function test_anyone_funds_a_task_until_it_ends() public {
        uint256 before = escrow();
        give(STRANGER, 5);
        vm.prank(STRANGER);
        tasks.fund(task, 5);
        vm.assertEq(escrow(), before + 5, "escrow");
        vm.prank(INITIATOR);
        tasks.cancel(task);
        vm.expectRevert(wrongState(TaskState.CANCELLED));
        tasks.fund(task, 5);
    }

    function test_the_initiator_cancels_before_the_first_round_and_all_of_it_returns() public {
        uint256 given = escrow() + 8e18;
        joinAll();
        vm.prank(INITIATOR);
        tasks.cancel(task);
        vm.assertEq(free(INITIATOR), given, "refund");
        slots.withdrawStake(task, Role.TRAINER, 0);
        slots.withdrawStake(task, Role.VERIFIER, 4);
        vm.assertEq(free(trainerOwner(0)), PURSE, "stake returned");
        vm.assertEq(free(verifierOwner(4)), PURSE, "stake returned");
    }

    function test_nobody_else_cancels_and_nobody_once_it_runs() public {
        vm.expectRevert(abi.encodeWithSelector(ITasks.Tasks_NotInitiator.selector, task, STRANGER));
        vm.prank(STRANGER);
        tasks.cancel(task);
        joinAll();
        openRound(1);
        vm.expectRevert(wrongState(TaskState.RUNNING));
        vm.prank(INITIATOR);
        tasks.cancel(task);
    }

    function test_only_rounds_starts_a_task() public {
        vm.expectRevert(abi.encodeWithSelector(ITasks.Tasks_NotCore.selector, STRANGER));
        vm.prank(STRANGER);
        tasks.start(task);
    }

    // --- finish ---

    function test_a_task_that_nobody_joins_ends_250_blocks_after_its_start() public {
        uint64 start = tasks.params(task).startBlock;
        vm.roll(start + 250);
        vm.expectRevert(notStalled());
        tasks.finish(task);
        vm.roll(start + 251);
        uint256 given = escrow() + 8e18;
        tasks.finish(task);
        vm.assertEq(free(INITIATOR), given, "refund");
        vm.expectRevert(wrongState(TaskState.FINISHED));
        tasks.finish(task);
    }

    function test_a_task_that_can_open_is_not_ended_instead() public {
        joinAll();
        vm.roll(tasks.params(task).startBlock + 300);
        vm.expectRevert(notStalled());
        tasks.finish(task);
    }

    function test_a_running_task_ends_only_after_its_last_round() public {
        joinAll();
        for (uint32 r = 1; r <= 3; ++r) {
            toSoft(r);
            vm.expectRevert(notStalled());
            tasks.finish(task);
            settle(r);
        }
        uint256 left = escrow() + 8e18;
        tasks.finish(task);
        vm.assertEq(free(INITIATOR), left, "refund");
        for (uint32 r = 1; r <= 3; ++r) {
            claimAll(r);
        }
        vm.assertEq(unclaimed(3), 0, "claims outlive the task");
    }

    function test_a_task_without_enough_seats_is_ended_by_anyone_once_its_rounds_are_settled() public {
        joinAll();
        toSoft(1);
        for (uint8 i; i < 3; ++i) {
            vm.prank(verifier(i));
            slots.exit(task, Role.VERIFIER, i);
        }
        vm.expectRevert(notStalled());
        tasks.finish(task);
        settle(1);
        vm.prank(STRANGER);
        tasks.finish(task);
        vm.assertEq(escrow(), 0, "refunded");
        vm.expectRevert();
        rounds.advance(task, 2);
    }

    function test_a_task_without_money_for_a_round_is_ended_unless_somebody_funds_it() public {
        TaskParams memory p = Params.demo(address(token), address(beacon));
        task = list(p, reserve(p, 4, 5));
        joinAll();
        toSoft(1);
        settle(1);
        vm.assertEq(rounds.obstacle(task), "escrow below the reserve", "obstacle");
        give(STRANGER, 20e18);
        vm.prank(STRANGER);
        tasks.fund(task, 20e18);
        vm.expectRevert(notStalled());
        tasks.finish(task);
        openRound(2);
        assertPhase(2, Phase.OPEN);
    }
}
