// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../../contracts/interfaces/ICourt.sol";
import {ISlots} from "../../contracts/interfaces/ISlots.sol";
import {IRoundsEvents} from "../../contracts/interfaces/IRounds.sol";
import {Ballot, Challenge, Check, Phase, Role} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Params} from "./Params.sol";

contract RoundsRevealTest is Fixture {
    uint256 private seat;

    function setUp() public override {
        super.setUp();
        joinAll();
        // The owner of verifier 0 trains, too.
        give(verifierOwner(0), PURSE);
        vm.prank(verifierOwner(0));
        slots.join(task, Role.TRAINER, 1, trainer(4), 0, Params.NUMERICS, "");
        toVote(1);
        seat = checker(1, 0);
    }

    /// All vote, the seat for `b`; its reveal is refused with `refusal`.
    function refused(Ballot memory b, bytes memory refusal) private {
        planned[seat] = abi.encode(b);
        voteAll(1);
        revealRefused(1, seat, refusal);
    }

    function badMarks(Ballot memory b) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IRoundsEvents.Rounds_BadMarks.selector, b.marks);
    }

    function badChallenge(string memory what) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IRoundsEvents.Rounds_BadChallenge.selector, 0, what);
    }

    function mismatch() private view returns (bytes memory) {
        return abi.encodeWithSelector(IRoundsEvents.Rounds_BallotMismatch.selector, task, 1, seat);
    }

    function test_a_reveal_is_recorded_and_the_last_one_makes_the_round_soft() public {
        Ballot memory b = honest(1, seat);
        voteAll(1);
        vm.expectEmit();
        emit IRoundsEvents.Revealed(task, 1, uint8(seat), b);
        reveal(1, seat);
        vm.assertEq(view_(1).revealed, 1 << seat, "revealed");
        vm.assertEq(slots.slot(task, Role.VERIFIER, uint8(seat)).secretsOpened, 1, "secret opened");
        revealAll(1);
        assertPhase(1, Phase.CHALLENGE);
        vm.assertEq(view_(1).accepted & 15, 15, "accepted");
    }

    function test_any_other_ballot_than_the_hashed_one_is_refused() public {
        voteAll(1);
        for (uint256 field; field < 6; ++field) {
            Ballot memory b = honest(1, seat);
            if (field == 0) b.marks ^= 1;
            if (field == 1) b.secret = bytes32(uint256(1));
            if (field == 2) b.evidenceRoot = bytes32(uint256(1));
            if (field == 3) b.previousVersion = bytes32(uint256(1));
            if (field == 4) b.salt = bytes32(uint256(1));
            if (field == 5) b.challenges = new Challenge[](1);
            planned[seat] = abi.encode(b);
            revealRefused(1, seat, mismatch());
        }
    }

    function test_a_copied_hash_cannot_be_opened_by_its_copier() public {
        bytes32 hash = rounds.ballotHash(task, 1, verifier(seat), ballot(1, seat));
        vote(1, seat);
        uint256 copier = checker(1, 1);
        vm.prank(verifier(copier));
        rounds.vote(task, 1, hash);
        voteAll(1);
        Ballot memory b = honest(1, seat);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_BallotMismatch.selector, task, 1, copier));
        vm.prank(verifier(copier));
        rounds.reveal(task, 1, b);
    }

    function test_nobody_reveals_without_a_vote_too_early_or_twice() public {
        revealRefused(1, seat, abi.encodeWithSelector(IRoundsEvents.Rounds_WrongPhase.selector, task, 1, Phase.VOTE));
        vote(1, seat);
        vm.roll(view_(1).phaseEnd + 1);
        uint256 absent = checker(1, 1);
        revealRefused(
            1, absent, abi.encodeWithSelector(IRoundsEvents.Rounds_NotMember.selector, task, 1, verifier(absent))
        );
    }

    function test_nobody_reveals_twice() public {
        voteAll(1);
        reveal(1, seat);
        revealRefused(1, seat, abi.encodeWithSelector(IRoundsEvents.Rounds_AlreadyDone.selector, task, 1, seat));
    }

    // --- marks ---

    function test_a_mark_on_what_is_not_held_is_refused() public {
        Ballot memory b = honest(1, seat);
        b.marks |= uint128(1) << (2 * 5);
        refused(b, badMarks(b));
    }

    function test_a_mark_that_is_both_is_refused() public {
        Ballot memory b = honest(1, seat);
        b.marks |= 3;
        refused(b, badMarks(b));
    }

    function test_a_challenge_mark_without_a_challenge_is_refused_and_so_is_the_reverse() public {
        Ballot memory b = honest(1, seat);
        b.marks = (b.marks & ~uint128(3)) | 2;
        uint256 snapshot = vm.snapshotState();
        refused(b, badMarks(b));
        vm.revertToState(snapshot);
        b = honest(1, seat);
        accuse(b, 0, Check.UPDATE, 0);
        b.marks = (b.marks & ~uint128(3)) | 1;
        refused(b, badMarks(b));
    }

    function test_a_secret_of_another_round_is_refused() public {
        Ballot memory b = honest(1, seat);
        b.secret = secret(seat, 2);
        refused(b, abi.encodeWithSelector(ISlots.Slots_BadSecret.selector, task, seat));
    }

    // --- challenges ---

    function test_checks_that_nobody_can_challenge_are_refused() public {
        Ballot memory b = honest(1, seat);
        accuse(b, 0, Check.EVIDENCE, 0);
        refused(b, badChallenge("check"));
    }

    function test_slots_beyond_the_shard_are_refused() public {
        Ballot memory b = honest(1, seat);
        accuse(b, 64, Check.UPDATE, 0);
        refused(b, badChallenge("slot"));
    }

    function test_only_items_that_were_drawn_can_be_challenged() public {
        uint32 drawn = segmentOf(1, seat, 0);
        uint32 other = (drawn + 1) % 3;
        Check[5] memory checks = [Check.UPDATE, Check.ENCODE, Check.SEGMENT, Check.AVAILABLE, Check.ROLLOUT];
        uint32[5] memory items = [uint32(1), 1, other, other, other * 4];
        for (uint256 i; i < 5; ++i) {
            uint256 snapshot = vm.snapshotState();
            Ballot memory b = honest(1, seat);
            accuse(b, 0, checks[i], items[i]);
            refused(b, badChallenge("item"));
            vm.revertToState(snapshot);
        }
    }

    function test_every_drawn_item_can_be_challenged() public {
        uint32 drawn = segmentOf(1, seat, 0);
        plan(1, seat, 0, Check.UPDATE, 0);
        plan(1, seat, 0, Check.ENCODE, 0);
        plan(1, seat, 0, Check.SEGMENT, drawn);
        plan(1, seat, 0, Check.AVAILABLE, drawn);
        plan(1, seat, 0, Check.AVAILABLE, 3);
        voteAll(1);
        reveal(1, seat);
        vm.assertEq(view_(1).challenged, 1, "challenged");
        vm.assertEq(docket(1, 1).disputes, 5, "disputes");
        uint256 pledged = court.bondFor(task, 1);
        vm.assertEq(free(verifierOwner(seat)), (seat == 0 ? 60e18 : 30e18) - pledged, "one bond for all of them");
    }

    function test_exactly_two_of_the_four_groups_of_the_drawn_segment_can_be_challenged() public {
        uint256 accepted;
        for (uint32 item; item < 12; ++item) {
            uint256 snapshot = vm.snapshotState();
            plan(1, seat, 0, Check.ROLLOUT, item);
            voteAll(1);
            Ballot memory b = ballot(1, seat);
            vm.prank(verifier(seat));
            try rounds.reveal(task, 1, b) {
                vm.assertEq(item / 4, segmentOf(1, seat, 0), "in the drawn segment");
                vm.revertToState(snapshot);
                ++accepted;
            } catch {
                vm.revertToState(snapshot);
            }
        }
        vm.assertEq(accepted, 2, "drawn groups");
    }

    function test_a_challenge_against_who_was_convicted_meanwhile_is_dropped_and_the_ballot_stands() public {
        plan(1, seat, 0, Check.UPDATE, 0);
        voteAll(1);
        vm.prank(address(court));
        slots.slash(task, Role.TRAINER, 0, 1, 0);
        reveal(1, seat);
        vm.assertEq(docket(1, 1).disputes, 0, "no dispute");
        revealAll(1);
        vm.assertEq(view_(1).accepted & 1, 0, "not accepted either");
    }

    function test_a_challenge_that_is_not_covered_is_refused_with_the_whole_ballot() public {
        plan(1, seat, 0, Check.UPDATE, 0);
        plan(1, seat, 1, Check.UPDATE, 0);
        address owner = verifierOwner(seat);
        uint256 rich = free(owner);
        vm.prank(owner);
        vault.withdraw(token, rich);
        voteAll(1);
        uint256 needed = court.bondFor(task, 1);
        revealRefused(1, seat, abi.encodeWithSelector(ICourt.Court_BondUncovered.selector, task, seat, needed));
    }
}
