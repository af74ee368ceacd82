// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsEvents} from "../../contracts/interfaces/IRounds.sol";
import {Phase, Role} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";

contract RoundsVoteTest is Fixture {
    function setUp() public override {
        super.setUp();
        joinAll();
        toVote(1);
    }

    function stake(uint256 seat) private view returns (uint256) {
        return stakeOf(Role.VERIFIER, seat);
    }

    function outsider() private view returns (uint256) {
        return nth(31 & ~view_(1).checkers, 0);
    }

    function test_only_checkers_vote_and_only_once() public {
        uint256 other = outsider();
        voteRefused(1, other, abi.encodeWithSelector(IRoundsEvents.Rounds_NotMember.selector, task, 1, verifier(other)));
        uint256 first = checker(1, 0);
        vote(1, first);
        voteRefused(1, first, abi.encodeWithSelector(IRoundsEvents.Rounds_AlreadyDone.selector, task, 1, first));
    }

    function test_an_empty_hash_is_no_vote() public {
        uint256 first = checker(1, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_BallotMismatch.selector, task, 1, first));
        vm.prank(verifier(first));
        rounds.vote(task, 1, 0);
    }

    function test_the_vote_closes_with_the_last_checker_and_then_reveals_are_awaited() public {
        vote(1, checker(1, 0));
        vote(1, checker(1, 1));
        assertPhase(1, Phase.VOTE);
        vote(1, checker(1, 2));
        assertPhase(1, Phase.REVEAL);
        vm.assertEq(view_(1).phaseEnd, block.number + 6, "end");
        uint256 third = checker(1, 2);
        voteRefused(1, third, abi.encodeWithSelector(IRoundsEvents.Rounds_WrongPhase.selector, task, 1, Phase.REVEAL));
    }

    function test_two_of_three_are_a_quorum_and_the_third_is_fined() public {
        vote(1, checker(1, 0));
        vote(1, checker(1, 1));
        uint64 end = view_(1).phaseEnd;
        vm.roll(end + 1);
        revealAll(1);
        advance(1);
        revealAll(1);
        assertPhase(1, Phase.CHALLENGE);
        vm.assertEq(view_(1).attempt, 0, "first attempt");
        vm.assertEq(view_(1).accepted, 15, "accepted");
        vm.assertEq(stake(checker(1, 2)), 9.9e18, "missed its duty");
        vm.assertEq(stake(checker(1, 0)), 10e18, "did its own");
    }

    function test_a_vote_that_is_not_revealed_costs_a_tenth_of_the_stake() public {
        voteAll(1);
        reveal(1, checker(1, 0));
        reveal(1, checker(1, 1));
        vm.roll(view_(1).phaseEnd + 1);
        advance(1);
        vm.assertEq(stake(checker(1, 2)), 9e18, "unrevealed");
        vm.assertEq(view_(1).accepted, 15, "the others are a quorum");
    }

    // --- second attempt ---

    function failFirst() private returns (uint256 silent, uint256 revealed, uint256 absent) {
        (silent, revealed, absent) = (checker(1, 0), checker(1, 1), checker(1, 2));
        vote(1, silent);
        vote(1, revealed);
        vm.roll(view_(1).phaseEnd + 1);
        advance(1);
        reveal(1, revealed);
        uint64 end = view_(1).phaseEnd;
        vm.roll(end + 1);
        advance(1);
        assertPhase(1, Phase.VOTE);
        vm.assertEq(view_(1).attempt, 1, "second attempt");
        vm.assertEq(view_(1).phaseEnd, end + 30, "counts from the end of the reveals");
    }

    function test_without_a_quorum_everybody_else_is_called_in() public {
        (uint256 silent,, uint256 absent) = failFirst();
        vm.assertEq(view_(1).checkers, 31, "all seats");
        vm.assertEq(stake(silent), 9e18, "unrevealed");
        vm.assertEq(stake(absent), 9.9e18, "missed");
        voteRefused(1, silent, abi.encodeWithSelector(IRoundsEvents.Rounds_AlreadyDone.selector, task, 1, silent));
    }

    function test_the_second_attempt_can_succeed_with_reveals_of_both() public {
        (uint256 silent,, uint256 absent) = failFirst();
        voteAll(1);
        assertPhase(1, Phase.REVEAL);
        revealRefused(1, silent, abi.encodeWithSelector(IRoundsEvents.Rounds_AlreadyDone.selector, task, 1, silent));
        for (uint256 i; i < 5; ++i) {
            if (i != silent && !has(view_(1).revealed, i)) reveal(1, i);
        }
        assertPhase(1, Phase.CHALLENGE);
        vm.assertEq(view_(1).accepted, 15, "four of five");
        vm.assertEq(stake(absent), 9.9e18, "who came late is fined once");
        settle(1);
        vm.assertEq(claimAll(1), 4e18 + 4 * 1.2e18 + 0.08e18, "all work is paid");
        vm.assertEq(unclaimed(1), 0, "pot");
    }

    function test_who_misses_both_attempts_is_fined_twice_and_the_round_is_void_after_its_dockets() public {
        (uint256 silent, uint256 revealed, uint256 absent) = failFirst();
        vm.roll(view_(1).phaseEnd + 1);
        advance(1);
        assertPhase(1, Phase.CHALLENGE);
        vm.assertEq(view_(1).accepted, 0, "nothing is accepted");
        vm.assertEq(stake(absent), 9.8e18, "twice");
        vm.assertEq(stake(outsider2(silent, revealed, absent)), 9.9e18, "once");
        vm.roll(view_(1).phaseEnd + 1);
        advance(1);
        assertPhase(1, Phase.VOID);
        vm.assertEq(claim(Role.TRAINER, 0, 1), 0, "trainers get nothing");
        vm.assertEq(claimAll(1), 1.2e18 + 0.08e18, "the checker and the attesters do");
        vm.assertEq(unclaimed(1), 0, "pot");
    }

    function outsider2(uint256 a, uint256 b, uint256 c) private pure returns (uint256) {
        return nth(31 & ~(uint256(1) << a | uint256(1) << b | uint256(1) << c), 0);
    }

    function test_a_vote_to_which_nobody_comes_goes_straight_to_the_second_attempt() public {
        uint64 end = view_(1).phaseEnd;
        vm.roll(end + 1);
        advance(1);
        assertPhase(1, Phase.VOTE);
        vm.assertEq(view_(1).attempt, 1, "second attempt");
        vm.assertEq(view_(1).phaseEnd, end + 30, "the reveals took no time");
    }

    function test_convicts_are_not_called_in() public {
        uint256 convict = outsider();
        vm.prank(address(court));
        slots.slash(task, Role.VERIFIER, uint8(convict), 1, 0);
        vm.roll(view_(1).phaseEnd + 1);
        advance(1);
        vm.assertTrue(!has(view_(1).checkers, convict), "left out");
    }
}
