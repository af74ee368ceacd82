// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsEvents} from "../../contracts/interfaces/IRounds.sol";
import {Ballot, Check, Dispute, Phase, Role, TaskParams} from "../../contracts/libraries/Types.sol";
import {Evidence} from "./Evidence.sol";
import {Fixture} from "./Fixture.sol";
import {Params} from "./Params.sol";

contract RoundsEvidenceTest is Fixture {
    uint256 private seat;
    Ballot private shown; // the one that `seat` voted

    function setUp() public override {
        start(1 << 32);
    }

    function start(uint64 rate) private {
        deploy();
        TaskParams memory p = Params.demo(address(token), address(beacon));
        p.auditRate = rate;
        task = list(p);
        joinAll();
        toSoft(1);
        seat = checker(1, 1);
        Ballot memory b = honest(1, seat);
        (shown.marks, shown.secret, shown.evidenceRoot, shown.salt) = (b.marks, b.secret, b.evidenceRoot, b.salt);
    }

    function refused(bytes memory leaf, bytes32[] memory proof, string memory reason) private {
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_BadEvidence.selector, reason));
        vm.prank(verifier(seat));
        rounds.postEvidence(task, 1, shown, leaf, proof);
    }

    function test_the_leaf_that_was_asked_for_becomes_a_dispute_of_docket_2() public {
        readAudit(1);
        post(1, seat);
        (, uint256 index, uint256 leaves) = rounds.auditOf(task, 1, uint8(seat));
        vm.assertEq(leaves, 12, "four passes of three");
        Dispute memory d = court.dispute(task, 1, 2, 0);
        (bytes memory leaf,) = evidence(1, seat);
        vm.assertTrue(d.role == Role.VERIFIER && d.check == Check.EVIDENCE, "evidence of a verifier");
        vm.assertEq(d.accused, seat, "accused");
        vm.assertEq(d.item, index, "item");
        vm.assertEq(d.measured, keccak256(leaf), "leaf");
        vm.assertEq(d.challengers, 0, "nobody's challenge");
    }

    function test_evidence_waits_for_the_audit_beacon_and_ends_with_the_window() public {
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_WrongPhase.selector, task, 1, Phase.CHALLENGE));
        rounds.auditOf(task, 1, uint8(seat));
        vm.roll(view_(1).auditTarget);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_WrongPhase.selector, task, 1, Phase.CHALLENGE));
        vm.prank(verifier(seat));
        rounds.postEvidence(task, 1, shown, "", new bytes32[](0));
        readAudit(1);
        uint64 end = view_(1).phaseEnd;
        vm.roll(end);
        post(1, seat);
        (bytes memory leaf, bytes32[] memory proof) = evidence(1, checker(1, 0));
        address late = verifier(checker(1, 0));
        vm.roll(end + 1);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_WrongPhase.selector, task, 1, Phase.CHALLENGE));
        vm.prank(late);
        rounds.postEvidence(task, 1, shown, leaf, proof);
    }

    function test_every_fixed_field_of_the_leaf_is_checked() public {
        readAudit(1);
        string[7] memory reasons = ["task", "round", "seat", "slot", "kind", "draw", "operator"];
        uint256[7] memory words = [uint256(0), 1, 2, 3, 4, 5, 7];
        for (uint256 i; i < 7; ++i) {
            (bytes memory leaf, bytes32[] memory proof) = evidence(1, seat);
            leaf[32 * words[i] + 31] ^= 0x40;
            refused(leaf, proof, reasons[i]);
        }
    }

    function test_item_and_evidence_are_bound_by_the_proof() public {
        readAudit(1);
        (bytes memory leaf, bytes32[] memory proof) = evidence(1, seat);
        leaf[32 * 6 + 31] ^= 0x01;
        refused(leaf, proof, "proof");
        (leaf, proof) = evidence(1, seat);
        leaf[leaf.length - 1] ^= 0x01;
        refused(leaf, proof, "proof");
        (leaf, proof) = evidence(1, seat);
        proof[0] ^= bytes32(uint256(1));
        refused(leaf, proof, "proof");
    }

    function test_only_the_ballot_that_was_voted_binds_the_evidence() public {
        readAudit(1);
        (bytes memory leaf, bytes32[] memory proof) = evidence(1, seat);
        shown.evidenceRoot = keccak256("another");
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_BallotMismatch.selector, task, 1, seat));
        vm.prank(verifier(seat));
        rounds.postEvidence(task, 1, shown, leaf, proof);
    }

    function test_evidence_of_a_round_can_be_shown_after_the_votes_of_the_next() public {
        readAudit(1);
        (bytes memory leaf, bytes32[] memory proof) = evidence(1, seat);
        uint64 end = view_(1).phaseEnd;
        toSoft(2);
        vm.assertTrue(block.number <= end, "the window of round 1 is still open");
        vm.prank(verifier(seat));
        rounds.postEvidence(task, 1, shown, leaf, proof);
        vm.assertEq(court.dispute(task, 1, 2, 0).accused, seat, "accepted");
    }

    function test_leaves_hold_evidence_and_at_most_a_kilobyte() public {
        readAudit(1);
        refused(new bytes(256), new bytes32[](4), "size");
        refused(new bytes(1025), new bytes32[](4), "size");
    }

    function test_the_leaf_of_another_index_or_person_is_refused() public {
        readAudit(1);
        (, uint256 index,) = rounds.auditOf(task, 1, uint8(seat));
        bytes[] memory all = Evidence.leaves(task, 1, seat, 15, verifier(seat));
        uint256 other = (index + 3) % 12;
        (, bytes32[] memory proof) = Evidence.tree(all, other);
        refused(all[other], proof, "slot");
        (bytes memory leaf, bytes32[] memory theirs) = evidence(1, checker(1, 0));
        refused(leaf, theirs, "seat");
    }

    function test_nobody_posts_twice_and_nobody_posts_unasked() public {
        readAudit(1);
        post(1, seat);
        (bytes memory leaf, bytes32[] memory proof) = evidence(1, seat);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_AlreadyDone.selector, task, 1, seat));
        vm.prank(verifier(seat));
        rounds.postEvidence(task, 1, shown, leaf, proof);
        uint256 other = nth(31 & ~view_(1).checkers, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NotAudited.selector, task, 1, other));
        vm.prank(verifier(other));
        rounds.postEvidence(task, 1, shown, leaf, proof);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NotMember.selector, task, 1, trainer(0)));
        vm.prank(trainer(0));
        rounds.postEvidence(task, 1, shown, leaf, proof);
    }

    function test_an_audited_checker_that_shows_nothing_is_slashed_without_bounty() public {
        readAudit(1);
        post(1, checker(1, 0));
        post(1, checker(1, 2));
        settle(1);
        vm.assertEq(stakeOf(Role.VERIFIER, seat), 5e18, "slashed");
        vm.assertEq(slots.convicted(task, Role.VERIFIER), 1 << seat, "convicted");
        vm.assertEq(view_(1).forfeited, 1 << seat, "and loses its fees");
        vm.assertEq(claim(Role.VERIFIER, seat, 1), 0, "nothing to claim");
        vm.assertTrue(burned() >= 5e18 + 1.2e18, "both burn");
        claimAll(1);
        vm.assertEq(unclaimed(1), 0, "pot");
    }

    function test_every_silent_checker_is_slashed() public {
        settle(1);
        vm.assertEq(slots.convicted(task, Role.VERIFIER), view_(1).checkers, "all three");
        vm.assertEq(stakeOf(Role.VERIFIER, seat), 5e18, "slashed once");
    }

    function test_a_convict_that_still_checks_is_not_slashed_again() public {
        readAudit(1);
        for (uint256 n; n < 3; ++n) {
            uint8 position = uint8(checker(1, n));
            vm.prank(address(court));
            slots.slash(task, Role.VERIFIER, position, 1, 0);
        }
        settle(1);
        vm.assertEq(stakeOf(Role.VERIFIER, seat), 5e18, "once");
    }

    function test_an_audit_beacon_that_nobody_read_in_time_audits_nobody() public {
        vm.roll(view_(1).auditTarget + 251);
        advance(1);
        assertPhase(1, Phase.FINAL);
        vm.assertEq(slots.convicted(task, Role.VERIFIER), 0, "nobody slashed");
    }

    function test_without_passes_or_by_the_rate_nobody_is_audited() public {
        start(0);
        readAudit(1);
        (bool audited,, uint256 leaves) = rounds.auditOf(task, 1, uint8(seat));
        vm.assertTrue(!audited && leaves == 12, "rate 0");
        (audited,, leaves) = rounds.auditOf(task, 1, uint8(nth(31 & ~view_(1).checkers, 0)));
        vm.assertTrue(!audited && leaves == 0, "no ballot");
    }
}
