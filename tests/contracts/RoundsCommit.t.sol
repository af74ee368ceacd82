// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISlots} from "../../contracts/interfaces/ISlots.sol";
import {IRoundsEvents} from "../../contracts/interfaces/IRounds.sol";
import {Phase, Role} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";

contract RoundsCommitTest is Fixture {
    function setUp() public override {
        super.setUp();
        joinAll();
    }

    function wrongPhase(uint32 r, Phase now_) private view returns (bytes memory) {
        return abi.encodeWithSelector(IRoundsEvents.Rounds_WrongPhase.selector, task, r, now_);
    }

    function test_a_commitment_is_kept_as_one_word() public {
        openRound(1);
        (bytes32 manifest, bytes32 receipts) = (part(1, 2, "manifest"), part(1, 2, "receipts"));
        vm.expectEmit();
        emit IRoundsEvents.Committed(task, 1, 2, manifest, receipts, part(1, 2, "leaves"));
        commit(1, 2);
        bytes32 word = keccak256(abi.encode(manifest, receipts, part(1, 2, "leaves")));
        vm.assertEq(rounds.commitment(task, 1, 2), word, "commitment");
        vm.assertEq(rounds.commitment(task, 1, 1), 0, "not of another position");
        vm.assertEq(view_(1).committed, 4, "committed");
    }

    function test_the_first_commit_reads_the_seed() public {
        advance(1);
        vm.roll(view_(1).seedTarget);
        vm.expectRevert(wrongPhase(1, Phase.OPEN));
        commit(1, 0);
        vm.roll(view_(1).seedTarget + 1);
        commit(1, 0);
        vm.assertEq(view_(1).seed, blockhash(view_(1).seedTarget), "seed");
        vm.assertTrue(view_(1).attesters != 0, "attesters are drawn");
    }

    function test_strangers_verifiers_and_later_trainers_do_not_commit() public {
        openRound(1);
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_NoSlot.selector, task, STRANGER));
        vm.prank(STRANGER);
        rounds.commit(task, 1, 0, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NotMember.selector, task, 1, verifier(0)));
        vm.prank(verifier(0));
        rounds.commit(task, 1, 0, 0, 0);
        joinTrainer(4);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NotMember.selector, task, 1, trainer(4)));
        commit(1, 4);
    }

    function test_nobody_commits_twice() public {
        openRound(1);
        commit(1, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_AlreadyDone.selector, task, 1, 0));
        commit(1, 0);
    }

    function test_the_last_block_of_the_window_is_in_time_and_the_next_is_not() public {
        openRound(1);
        uint64 end = view_(1).phaseEnd;
        vm.roll(end);
        commit(1, 0);
        vm.roll(end + 1);
        vm.expectRevert(wrongPhase(1, Phase.ATTEST));
        commit(1, 1);
    }

    function test_the_window_closes_with_the_last_commit() public {
        openRound(1);
        commitAll(1);
        assertPhase(1, Phase.ATTEST);
        vm.assertEq(view_(1).phaseEnd, block.number + 10, "from this block on");
    }

    function test_nobody_waits_for_a_convict() public {
        openRound(1);
        vm.prank(address(court));
        slots.slash(task, Role.TRAINER, 3, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NotMember.selector, task, 1, trainer(3)));
        commit(1, 3);
        commitAll(1);
        assertPhase(1, Phase.ATTEST);
        vm.assertEq(stakeOf(Role.TRAINER, 3), 5e18, "nor fines it for its silence");
    }

    function test_who_does_not_commit_is_fined() public {
        openRound(1);
        commit(1, 0);
        uint64 end = view_(1).phaseEnd;
        vm.roll(end + 4);
        advance(1);
        vm.assertEq(stakeOf(Role.TRAINER, 0), 10e18, "not who did");
        for (uint256 i = 1; i < 4; ++i) {
            vm.assertEq(stakeOf(Role.TRAINER, i), 9.9e18, "fined");
        }
        vm.assertEq(view_(1).phaseEnd, end + 10, "the next window counts from the end of this one");
    }

    function test_a_round_without_commitments_is_void_and_its_reserve_returns() public {
        uint256 before = escrow();
        openRound(1);
        vm.roll(view_(1).phaseEnd + 1);
        advance(1);
        assertPhase(1, Phase.VOID);
        vm.assertEq(pot(1), 0, "pot");
        vm.assertEq(escrow(), before - 2e15, "all but two tips");
        vm.assertEq(rounds.settledThrough(task), 1, "settled");
    }

    function test_a_seed_that_nobody_read_in_time_voids_the_round_and_fines_nobody() public {
        advance(1);
        vm.roll(view_(1).seedTarget + 251);
        advance(1);
        assertPhase(1, Phase.VOID);
        vm.assertEq(stakeOf(Role.TRAINER, 0), 10e18, "nobody could have committed");
        vm.assertEq(burned(), 0, "no fines");
        openRound(2);
        assertPhase(2, Phase.OPEN);
    }

    function test_a_commitment_of_the_round_before_is_not_read_as_this_rounds() public {
        toSoft(1);
        bytes32 old = rounds.commitment(task, 1, 0);
        openRound(2);
        vm.assertEq(rounds.commitment(task, 2, 0), 0, "none yet");
        vm.assertEq(rounds.commitment(task, 1, 0), old, "still there");
        commit(2, 0);
        vm.assertEq(rounds.commitment(task, 1, 0), 0, "overwritten");
        vm.assertTrue(rounds.commitment(task, 2, 0) != old, "the new one");
    }
}
