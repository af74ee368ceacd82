// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsEvents} from "../../contracts/interfaces/IRounds.sol";
import {Phase, Role, RoundView, TaskParams, TaskState} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Params} from "./Params.sol";

contract RoundsOpenTest is Fixture {
    function obstructed(uint32 r, string memory reason) private {
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NotReadyToOpen.selector, task, r, reason));
        rounds.advance(task, r);
    }

    function test_the_first_round_opens_as_soon_as_all_slots_are_full() public {
        for (uint256 i; i < 4; ++i) {
            joinTrainer(i);
        }
        for (uint256 i; i < 4; ++i) {
            joinVerifier(i);
        }
        vm.assertEq(rounds.obstacle(task), "slots are not full", "obstacle");
        obstructed(1, "slots are not full");
        joinVerifier(4);
        vm.assertEq(rounds.obstacle(task), "", "no obstacle");
        openRound(1);
        vm.assertTrue(tasks.stateOf(task) == TaskState.RUNNING, "running");
    }

    function test_or_at_its_start_block_with_as_many_as_it_needs() public {
        joinVerifier(0);
        joinVerifier(1);
        vm.roll(tasks.params(task).startBlock);
        obstructed(1, "no trainer");
        joinTrainer(0);
        obstructed(1, "too few verifier seats");
        joinVerifier(2);
        openRound(1);
        vm.assertEq(view_(1).trainers, 1, "trainers");
        vm.assertEq(view_(1).verifiers, 7, "verifiers");
    }

    function test_opening_freezes_the_slots_moves_the_reserve_and_fixes_the_seed() public {
        joinAll();
        uint256 before = escrow();
        TaskParams memory p = tasks.params(task);
        uint256 needed = reserve(p, 4, 5);
        advance(1);
        RoundView memory v = view_(1);
        vm.assertTrue(v.phase == Phase.OPEN, "open");
        vm.assertEq(v.trainers, 15, "trainers");
        vm.assertEq(v.verifiers, 31, "verifiers");
        vm.assertEq(v.openBlock, block.number, "open block");
        vm.assertEq(v.phaseEnd, block.number + 40, "end");
        vm.assertEq(v.seedTarget, block.number + 1, "seed");
        vm.assertEq(escrow(), before - needed, "escrow");
        vm.assertEq(pot(1), needed - p.money.tip, "pot, less the opener's tip");
        vm.assertEq(free(KEEPER), p.money.tip, "tip");
        vm.assertEq(rounds.nextRound(task), 2, "next");
    }

    function test_a_round_is_reserved_only_for_who_is_there() public {
        TaskParams memory p = Params.demo(address(token), address(beacon));
        joinTrainer(0);
        for (uint256 i; i < 3; ++i) {
            joinVerifier(i);
        }
        vm.roll(tasks.params(task).startBlock);
        advance(1);
        vm.assertEq(pot(1), reserve(p, 1, 3) - p.money.tip, "pot");
    }

    function test_only_the_next_round_opens_and_only_after_the_one_before_is_soft() public {
        joinAll();
        obstructed(0, "not the next round");
        obstructed(2, "not the next round");
        openRound(1);
        obstructed(2, "the round before is not soft");
        commitAll(1);
        attestAll(1);
        seal(1);
        voteAll(1);
        obstructed(2, "the round before is not soft");
        revealAll(1);
        obstructed(3, "not the next round");
        advance(2);
        assertPhase(2, Phase.OPEN);
    }

    function test_a_round_opens_once_nobody_owes_evidence_of_the_round_before_the_last() public {
        joinAll();
        toSoft(1);
        toSoft(2);
        assertPhase(1, Phase.CHALLENGE);
        uint64 end = view_(1).phaseEnd;
        vm.assertTrue(block.number <= end, "these rounds are faster than a window");
        obstructed(3, "evidence of the round before the last is due");
        vm.roll(end);
        obstructed(3, "evidence of the round before the last is due");
        vm.roll(end + 1);
        advance(3);
        assertPhase(3, Phase.OPEN);
        assertPhase(1, Phase.FINAL);
    }

    function test_opening_the_next_round_first_ends_the_phase_of_the_one_before() public {
        joinAll();
        toVote(1);
        voteAll(1);
        for (uint256 n; n < 2; ++n) {
            reveal(1, checker(1, n));
        }
        vm.roll(view_(1).phaseEnd + 1);
        advance(2);
        assertPhase(1, Phase.CHALLENGE);
        assertPhase(2, Phase.OPEN);
    }

    function test_no_round_opens_beyond_the_last_or_in_a_closed_or_unknown_task() public {
        joinAll();
        vm.prank(INITIATOR);
        tasks.cancel(task);
        obstructed(1, "task is closed");
        task = 99;
        obstructed(1, "task is closed");
        TaskParams memory p = Params.demo(address(token), address(beacon));
        p.rounds = 1;
        task = list(p);
        joinAll();
        toSoft(1);
        obstructed(2, "no rounds left");
    }

    function test_no_round_opens_that_cannot_be_paid() public {
        TaskParams memory p = Params.demo(address(token), address(beacon));
        task = list(p, reserve(p, 4, 5));
        joinAll();
        joinTrainer(5);
        obstructed(1, "escrow below the reserve");
    }

    function test_advancing_pays_a_tip_only_where_something_was_due() public {
        joinAll();
        openRound(1);
        advance(1);
        vm.assertEq(free(KEEPER), 2 * Params.money().tip, "opened, and read the seed");
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NothingDue.selector, task, 1));
        advance(1);
        rounds.poke(task, 1);
        vm.assertEq(free(address(this)), 0, "a poke earns nothing");
    }

    function test_only_slots_seats_and_convicts() public {
        bytes memory refusal = abi.encodeWithSelector(IRoundsEvents.Rounds_NotCore.selector, STRANGER);
        vm.startPrank(STRANGER);
        vm.expectRevert(refusal);
        rounds.seat(task, Role.TRAINER, 0, STRANGER, STRANGER, 0);
        vm.expectRevert(refusal);
        rounds.convict(task, Role.TRAINER, 0, STRANGER);
    }

    function test_only_the_court_hands_out_tips() public {
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NotCore.selector, STRANGER));
        vm.prank(STRANGER);
        rounds.tip(task, 1, STRANGER);
    }

    function test_no_more_than_24_tips_leave_a_round() public {
        joinAll();
        openRound(1);
        for (uint256 i; i < 30; ++i) {
            vm.prank(address(court));
            rounds.tip(task, 1, STRANGER);
        }
        vm.assertEq(free(STRANGER), 23 * Params.money().tip, "the opener had the first");
    }

    function test_the_engine_called_directly_moves_nothing() public {
        joinAll();
        address engine = address(rounds.ENGINE());
        (bool fine,) = engine.call(abi.encodeWithSignature("open(uint256,uint32)", task, 1));
        vm.assertTrue(!fine, "refused");
        (fine,) = engine.call(abi.encodeWithSignature("sync(uint256,uint32)", task, 1));
        vm.assertTrue(fine && rounds.nextRound(task) == 1, "nothing moved");
    }
}
