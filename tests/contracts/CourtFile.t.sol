// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../../contracts/interfaces/ICourt.sol";
import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {Challenge, Check, Dispute, DocketPhase, Role} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";

/// Filing: disputes, bonds, and who may sit.
contract CourtFileTest is Fixture {
    uint256 private constant BOND = 4.5e18; // challengeBond and five jurors' fees

    function setUp() public override {
        super.setUp();
        joinAll();
        toVote(1);
    }

    function bonds() private view returns (uint256) {
        return held(Accounts.docketPot(task, 1, 1));
    }

    function challenge(uint8 slot, uint32 item) private pure returns (Challenge memory) {
        return Challenge(slot, Check.AVAILABLE, item, bytes32(uint256(1)));
    }

    function test_only_rounds_files_and_opens_dockets() public {
        bytes memory refusal = abi.encodeWithSelector(ICourt.Court_NotCore.selector, STRANGER);
        vm.startPrank(STRANGER);
        vm.expectRevert(refusal);
        court.file(task, 1, 0, challenge(0, 0));
        vm.expectRevert(refusal);
        court.fileAudit(task, 1, 0, 0, 0);
        vm.expectRevert(refusal);
        court.openDocket(task, 1, 1, 31);
    }

    function test_challengers_of_one_item_share_a_dispute_and_each_covers_a_bond() public {
        (uint256 a, uint256 b) = (checker(1, 0), checker(1, 1));
        plan(1, a, 0, Check.UPDATE, 0);
        plan(1, b, 0, Check.UPDATE, 0);
        plan(1, b, 0, Check.ENCODE, 0);
        plan(1, b, 1, Check.UPDATE, 0);
        voteAll(1);
        revealAll(1);
        vm.assertEq(docket(1, 1).disputes, 3, "disputes");
        Dispute memory d = court.dispute(task, 1, 1, 0);
        vm.assertEq(d.challengers, 1 << a | 1 << b, "challengers");
        vm.assertEq(d.firstChallenger, a, "first");
        vm.assertEq(d.measured, keccak256("measured"), "measured");
        vm.assertEq(court.bondFor(task, 1), BOND, "bond");
        vm.assertEq(bonds(), 3 * BOND, "one of a, two of b");
        vm.assertEq(free(verifierOwner(a)), 30e18 - BOND, "purse of a");
        vm.assertEq(free(verifierOwner(b)), 30e18 - 2 * BOND, "purse of b");
    }

    function test_a_bond_comes_out_of_the_purse_first_and_then_of_the_stake_above_a_slash() public {
        uint256 a = checker(1, 0);
        vm.prank(verifierOwner(a));
        vault.withdraw(token, 29e18);
        plan(1, a, 0, Check.UPDATE, 0);
        voteAll(1);
        reveal(1, a);
        vm.assertEq(free(verifierOwner(a)), 0, "purse");
        vm.assertEq(stakeOf(Role.VERIFIER, a), 6.5e18, "stake");
        vm.assertEq(bonds(), BOND, "pot");
    }

    function test_the_stake_that_a_slash_could_take_is_no_cover() public {
        uint256 a = checker(1, 0);
        vm.prank(verifierOwner(a));
        vault.withdraw(token, 30e18);
        vm.prank(address(rounds));
        slots.fine(task, Role.VERIFIER, uint8(a), 1, 0.5e18 + 1, "vote");
        vm.expectRevert(abi.encodeWithSelector(ICourt.Court_BondUncovered.selector, task, a, BOND));
        vm.prank(address(rounds));
        court.file(task, 1, uint8(a), challenge(0, 0));
    }

    function test_the_docket_opens_with_the_reveals_end_and_seats_all_but_who_may_not_sit() public {
        uint256 a = checker(1, 0);
        plan(1, a, 0, Check.UPDATE, 0);
        voteAll(1);
        vm.assertTrue(docket(1, 1).phase == DocketPhase.NONE, "not yet");
        revealAll(1);
        vm.assertTrue(docket(1, 1).phase == DocketPhase.JCOMMIT, "open");
        vm.assertEq(docket(1, 1).phaseEnd, block.number + 20, "counts from the end of the reveals");
        vm.assertEq(docket(1, 1).jurors, 31 & ~(1 << a), "all but the first challenger");
    }

    function test_a_challenger_sits_on_the_disputes_that_it_did_not_raise_first() public {
        (uint256 a, uint256 b) = (checker(1, 0), checker(1, 1));
        plan(1, a, 0, Check.UPDATE, 0);
        plan(1, b, 0, Check.UPDATE, 0);
        plan(1, b, 1, Check.UPDATE, 0);
        voteAll(1);
        revealAll(1);
        vm.assertEq(docket(1, 1).jurors, 31, "everybody may sit on something");
    }

    function test_a_docket_without_disputes_is_closed_at_once() public {
        voteAll(1);
        revealAll(1);
        vm.assertTrue(docket(1, 1).phase == DocketPhase.CLOSED, "closed");
        (bool closed,,,) = court.outcome(task, 1);
        vm.assertTrue(!closed, "the second one is still to come");
        settle(1);
        (closed,,,) = court.outcome(task, 1);
        vm.assertTrue(closed, "both");
    }

    function test_the_sixty_fifth_dispute_finds_the_docket_full() public {
        vm.startPrank(address(rounds));
        for (uint32 i; i < 64; ++i) {
            court.file(task, 1, 0, challenge(1, i));
        }
        court.file(task, 1, 1, challenge(1, 63));
        vm.expectRevert(abi.encodeWithSelector(ICourt.Court_DocketFull.selector, task, 1, 1));
        court.file(task, 1, 0, challenge(1, 64));
    }

    function test_evidence_beyond_the_sixty_fourth_stands_unjudged() public {
        vm.startPrank(address(rounds));
        for (uint8 i; i < 70; ++i) {
            court.fileAudit(task, 1, i, 0, bytes32(uint256(1)));
        }
        vm.assertEq(docket(1, 2).disputes, 64, "as many as a juror's word holds");
    }

    function test_convicts_do_not_sit() public {
        uint256 a = checker(1, 0);
        plan(1, a, 0, Check.UPDATE, 0);
        uint256 convict = checker(1, 1);
        vm.prank(address(court));
        slots.slash(task, Role.VERIFIER, uint8(convict), 1, 0);
        voteAll(1);
        revealAll(1);
        vm.assertEq(docket(1, 1).jurors, 31 & ~(1 << a | 1 << convict), "jurors");
    }
}
