// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsEvents} from "../../contracts/interfaces/IRounds.sol";
import {Ballot, Phase, Role} from "../../contracts/libraries/Types.sol";
import {Ledger} from "./Ledger.sol";

contract RoundsClaimTest is Ledger {
    function setUp() public override {
        super.setUp();
        joinAll();
    }

    function list_(uint32 a, uint32 b, uint32 c) private pure returns (uint32[] memory numbers) {
        numbers = new uint32[](3);
        (numbers[0], numbers[1], numbers[2]) = (a, b, c);
    }

    function test_a_trainer_claims_the_price_of_each_round_once() public {
        toSoft(1);
        settle(1);
        toSoft(2);
        settle(2);
        vm.assertEq(rounds.claimable(task, Role.TRAINER, 0, list_(1, 2, 1)), 2e18, "claimable");
        uint256 before = free(trainerOwner(0));
        vm.prank(STRANGER);
        vm.assertEq(rounds.claim(task, Role.TRAINER, 0, list_(1, 2, 1)), 2e18, "by anyone, for the owner");
        vm.assertEq(free(trainerOwner(0)), before + 2e18, "paid");
        vm.assertEq(rounds.claim(task, Role.TRAINER, 0, list_(2, 1, 2)), 0, "once only");
        vm.assertEq(rounds.claimable(task, Role.TRAINER, 0, list_(1, 2, 2)), 0, "nothing left");
    }

    function test_a_verifier_claims_what_it_attested_and_marked() public {
        toSoft(1);
        settle(1);
        uint256 total;
        for (uint256 i; i < 5; ++i) {
            uint256 due = has(view_(1).attested, i) ? 0.04e18 : 0;
            if (has(view_(1).revealed, i)) due += 1.2e18;
            vm.assertEq(claim(Role.VERIFIER, i, 1), due, "fees");
            vm.assertEq(claim(Role.VERIFIER, i, 1), 0, "once only");
            total += due;
        }
        vm.assertEq(total, 3 * 1.2e18 + 2 * 0.04e18, "all fees");
        assertBooks();
    }

    function test_marks_that_were_skipped_are_not_paid() public {
        toVote(1);
        uint256 seat = checker(1, 0);
        Ballot memory b = honest(1, seat);
        b.marks &= ~uint128(3);
        b.evidenceRoot = evidenceRoot(1, seat, b.marks);
        planned[seat] = abi.encode(b);
        voteAll(1);
        revealAll(1);
        settle(1);
        uint256 attested = has(view_(1).attested, seat) ? 0.04e18 : 0;
        vm.assertEq(claim(Role.VERIFIER, seat, 1), 0.9e18 + attested, "three of four");
        vm.assertEq(view_(1).accepted, 15, "one PASS is enough");
    }

    function test_nothing_is_claimed_from_a_round_that_is_open_or_never_was() public {
        toSoft(1);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_WrongPhase.selector, task, 1, Phase.CHALLENGE));
        rounds.claim(task, Role.TRAINER, 0, list_(1, 1, 1));
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_WrongPhase.selector, task, 7, Phase.NONE));
        rounds.claim(task, Role.TRAINER, 0, list_(7, 7, 7));
        vm.assertEq(rounds.claimable(task, Role.TRAINER, 0, list_(1, 7, 9)), 0, "nothing claimable");
    }

    function test_a_claim_settles_a_round_that_only_waits_for_a_call() public {
        toSoft(1);
        vm.roll(view_(1).phaseEnd + 1);
        vm.assertEq(claim(Role.TRAINER, 0, 1), 1e18, "claimed");
        assertPhase(1, Phase.FINAL);
    }

    function test_positions_that_do_not_exist_have_nothing() public {
        toSoft(1);
        settle(1);
        vm.assertEq(claim(Role.TRAINER, 200, 1), 0, "trainer");
        vm.assertEq(claim(Role.VERIFIER, 200, 1), 0, "verifier");
    }

    function test_what_nobody_can_claim_returns_to_the_escrow_when_the_round_is_final() public {
        uint256 before = escrow();
        toSoft(1);
        settle(1);
        uint256 tips = free(KEEPER);
        vm.assertEq(escrow() + unclaimed(1) + tips, before, "escrow, what is owed, and tips");
        vm.assertEq(unclaimed(1), 4e18 + 3.6e18 + 0.08e18, "what is owed");
        claimAll(1);
        vm.assertEq(unclaimed(1), 0, "nothing stays behind");
    }

    function test_a_convict_is_not_paid_for_a_round_accepted_before_and_its_price_burns() public {
        toSoft(1);
        vm.prank(address(court));
        slots.slash(task, Role.TRAINER, 2, 1, 0);
        uint256 ash = burned();
        settle(1);
        vm.assertEq(view_(1).paid, 11, "unpaid");
        vm.assertEq(burned() - ash, 1e18, "the price burns");
        claimAll(1);
        vm.assertEq(unclaimed(1), 0, "pot");
    }
}
