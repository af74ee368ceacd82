// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsEvents} from "../../contracts/interfaces/IRounds.sol";
import {Phase, Role} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";

contract RoundsAttestTest is Fixture {
    function setUp() public override {
        super.setUp();
        joinAll();
        openRound(1);
        commitAll(1);
    }

    function attester(uint256 n) private view returns (uint256) {
        return nth(view_(1).attesters, n);
    }

    function test_three_of_the_five_are_drawn() public view {
        uint256 set = view_(1).attesters;
        vm.assertTrue(set & ~uint256(31) == 0 && attester(2) > attester(1), "three members");
    }

    function test_two_of_three_attesters_make_a_contribution_held() public {
        attest(1, attester(0), 7);
        vm.assertEq(view_(1).held, 0, "one is not enough");
        attest(1, attester(1), 14);
        vm.assertEq(view_(1).held, 6, "those that both have seen");
        assertPhase(1, Phase.ATTEST);
        attest(1, attester(2), 8);
        vm.assertEq(view_(1).held, 14, "the third adds one");
    }

    function test_the_window_closes_when_all_committed_are_held() public {
        attest(1, attester(0), 15);
        attest(1, attester(1), type(uint64).max);
        assertPhase(1, Phase.SEAL);
        vm.assertEq(view_(1).held, 15, "only what was committed counts");
        vm.assertEq(view_(1).sealTarget, block.number + 2, "seal");
    }

    function test_whoever_was_spared_by_an_early_close_is_not_fined_and_not_paid() public {
        attestAll(1);
        uint256 spared = nth(view_(1).attesters & ~view_(1).attested, 0);
        vm.assertEq(stakeOf(Role.VERIFIER, spared), 10e18, "not fined");
        seal(1);
        voteAll(1);
        revealAll(1);
        settle(1);
        uint256 marks = has(view_(1).revealed, spared) ? 1.2e18 : 0;
        vm.assertEq(claim(Role.VERIFIER, spared, 1), marks, "its marks alone");
    }

    function test_the_window_closes_when_everybody_has_spoken() public {
        for (uint256 n; n < 3; ++n) {
            attest(1, attester(n), 3);
        }
        assertPhase(1, Phase.SEAL);
        vm.assertEq(stakeOf(Role.TRAINER, 2), 9.75e18, "withheld");
        vm.assertEq(stakeOf(Role.TRAINER, 1), 10e18, "held");
    }

    function test_at_the_end_the_silent_and_the_withholding_pay() public {
        attest(1, attester(0), 15);
        uint64 end = view_(1).phaseEnd;
        vm.roll(end + 1);
        advance(1);
        assertPhase(1, Phase.VOID);
        vm.assertEq(stakeOf(Role.VERIFIER, attester(0)), 10e18, "attested");
        vm.assertEq(stakeOf(Role.VERIFIER, attester(1)), 9.9e18, "silent");
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(stakeOf(Role.TRAINER, i), 9.75e18, "not held by enough");
        }
        vm.assertEq(claimAll(1), 0.04e18, "who attested is paid in a void round, too");
        vm.assertEq(unclaimed(1), 0, "and nothing stays behind");
    }

    function test_only_drawn_attesters_attest_and_only_once() public {
        uint256 other = nth(31 & ~view_(1).attesters, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NotMember.selector, task, 1, verifier(other)));
        attest(1, other, 15);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NotMember.selector, task, 1, trainer(0)));
        vm.prank(trainer(0));
        rounds.attest(task, 1, 15);
        attest(1, attester(0), 15);
        uint256 first = attester(0);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_AlreadyDone.selector, task, 1, first));
        attest(1, first, 15);
    }

    function test_the_last_block_is_in_time() public {
        uint256 first = attester(0);
        vm.roll(view_(1).phaseEnd);
        attest(1, first, 15);
        vm.assertEq(view_(1).attested, 1 << first, "attested");
    }

    function test_nobody_attests_before_or_after() public {
        attestAll(1);
        uint256 left = nth(view_(1).attesters & ~view_(1).attested, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_WrongPhase.selector, task, 1, Phase.SEAL));
        attest(1, left, 15);
    }

    function test_a_seal_that_nobody_read_in_time_voids_the_round() public {
        attestAll(1);
        vm.roll(view_(1).sealTarget + 251);
        advance(1);
        assertPhase(1, Phase.VOID);
        vm.assertEq(claimAll(1), 0.08e18, "the attesters are paid");
        vm.assertEq(unclaimed(1), 0, "pot");
        vm.assertEq(burned(), 0, "nobody is fined");
    }

    function test_the_seal_draws_the_checkers_one_block_after_its_target() public {
        attestAll(1);
        vm.roll(view_(1).sealTarget);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NothingDue.selector, task, 1));
        advance(1);
        uint64 end = view_(1).phaseEnd;
        seal(1);
        vm.assertEq(view_(1).seal, blockhash(view_(1).sealTarget), "seal");
        vm.assertEq(view_(1).phaseEnd, end + 30, "the vote counts from the seal's block");
        vm.assertTrue(checker(1, 2) > checker(1, 0), "three checkers");
    }
}
