// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ballot, Challenge, Check, Mark, Phase, Role, RoundView} from "../../contracts/libraries/Types.sol";
import {Draw} from "../../contracts/libraries/Draw.sol";
import {Evidence} from "./Evidence.sol";
import {World} from "./World.sol";

/// Everybody's moves in a round. Who is to do something else does it before the helper that moves the rest.
abstract contract Moves is World {
    /// The ballot that a seat is to cast, encoded; the honest one where there is none.
    mapping(uint256 seat => bytes) internal planned;

    function view_(uint32 r) internal view returns (RoundView memory) {
        return rounds.round(task, r);
    }

    function phase(uint32 r) internal view returns (Phase) {
        return view_(r).phase;
    }

    function assertPhase(uint32 r, Phase expected) internal view {
        vm.assertEq(uint256(phase(r)), uint256(expected), "phase");
    }

    function has(uint256 set, uint256 position) internal pure returns (bool) {
        return (set >> position) & 1 == 1;
    }

    /// The n-th position of a set, counted from 0.
    function nth(uint256 set, uint256 n) internal pure returns (uint256 position) {
        for (;; ++position) {
            require(position < 256, "set too small");
            if (!has(set, position)) continue;
            if (n == 0) return position;
            --n;
        }
    }

    function advance(uint32 r) internal {
        vm.prank(KEEPER);
        rounds.advance(task, r);
    }

    // --- the moves ---

    /// Opens a round, which may have to wait for evidence, and waits until its seed can be read.
    function openRound(uint32 r) internal {
        if (r > 2 && phase(r - 2) == Phase.CHALLENGE && block.number <= view_(r - 2).phaseEnd) {
            vm.roll(view_(r - 2).phaseEnd + 1);
        }
        advance(r);
        vm.roll(view_(r).seedTarget + 1);
    }

    function part(uint32 r, uint256 i, string memory what) internal pure returns (bytes32) {
        return keccak256(abi.encode(r, i, what));
    }

    function commit(uint32 r, uint256 i) internal {
        vm.prank(trainer(i));
        rounds.commit(task, r, part(r, i, "manifest"), part(r, i, "receipts"), part(r, i, "leaves"));
    }

    function commitAll(uint32 r) internal {
        uint64 missing = view_(r).trainers & ~view_(r).committed & ~uint64(slots.convicted(task, Role.TRAINER));
        for (uint256 i; i < 64; ++i) {
            if (has(missing, i)) commit(r, i);
        }
    }

    function attest(uint32 r, uint256 seat, uint64 set) internal {
        vm.prank(verifier(seat));
        rounds.attest(task, r, set);
    }

    function attestAll(uint32 r) internal {
        for (uint256 i; i < 256 && phase(r) == Phase.ATTEST; ++i) {
            if (has(view_(r).attesters & ~view_(r).attested, i)) attest(r, i, type(uint64).max);
        }
    }

    /// Waits for the seal and draws the checkers.
    function seal(uint32 r) internal {
        vm.roll(view_(r).sealTarget + 1);
        advance(r);
    }

    function toVote(uint32 r) internal {
        openRound(r);
        commitAll(r);
        attestAll(r);
        seal(r);
    }

    /// The n-th checker of a round.
    function checker(uint32 r, uint256 n) internal view returns (uint256) {
        return nth(view_(r).checkers, n);
    }

    function honest(uint32 r, uint256 seat) internal view returns (Ballot memory b) {
        uint64 own = slots.ownTrainers(task, uint8(seat));
        for (uint256 i; i < 64; ++i) {
            if (has(view_(r).held & ~own, i)) b.marks |= uint128(1) << uint128(2 * i);
        }
        b.secret = secret(seat, uint256(r) + 1 - slots.slot(task, Role.VERIFIER, uint8(seat)).activeFrom);
        b.salt = keccak256(abi.encode("salt", r, seat));
        if (r > 1) b.previousVersion = keccak256(abi.encode("version", r - 1));
        b.evidenceRoot = evidenceRoot(r, seat, b.marks);
    }

    function evidenceRoot(uint32 r, uint256 seat, uint128 marks) internal view returns (bytes32 root) {
        (root,) = Evidence.tree(Evidence.leaves(task, r, seat, passesOf(marks), verifier(seat)), 0);
    }

    function passesOf(uint128 marks) internal pure returns (uint256 passes) {
        for (uint256 i; i < 64; ++i) {
            if ((marks >> (2 * i)) & 3 == uint256(Mark.PASS)) passes |= 1 << i;
        }
    }

    /// The same ballot with one accusation more.
    function accuse(Ballot memory b, uint8 slot, Check check, uint32 item) internal pure {
        Challenge[] memory longer = new Challenge[](b.challenges.length + 1);
        for (uint256 i; i < b.challenges.length; ++i) {
            longer[i] = b.challenges[i];
        }
        longer[b.challenges.length] = Challenge(slot, check, item, keccak256("measured"));
        b.challenges = longer;
        b.marks = b.marks & ~(uint128(3) << (2 * slot)) | uint128(2) << (2 * slot);
    }

    function ballot(uint32 r, uint256 seat) internal view returns (Ballot memory) {
        return planned[seat].length == 0 ? honest(r, seat) : abi.decode(planned[seat], (Ballot));
    }

    /// Changes what a seat is going to vote: it accuses one more contribution.
    function plan(uint32 r, uint256 seat, uint8 slot, Check check, uint32 item) internal {
        Ballot memory b = ballot(r, seat);
        accuse(b, slot, check, item);
        b.evidenceRoot = evidenceRoot(r, seat, b.marks);
        planned[seat] = abi.encode(b);
    }

    /// The segment that a seat drew of a slot.
    function segmentOf(uint32 r, uint256 seat, uint8 slot) internal view returns (uint32) {
        bytes32 s = ballot(r, seat).secret;
        Draw.Source memory source = Draw.seated(task, r, view_(r).seal, s, seat, slot, Draw.SEGMENT);
        return uint32(Draw.sample(source, 3, 1)[0]);
    }

    function vote(uint32 r, uint256 seat) internal {
        bytes32 hash = rounds.ballotHash(task, r, verifier(seat), ballot(r, seat));
        vm.prank(verifier(seat));
        rounds.vote(task, r, hash);
    }

    function voteRefused(uint32 r, uint256 seat, bytes memory refusal) internal {
        bytes32 hash = rounds.ballotHash(task, r, verifier(seat), ballot(r, seat));
        vm.expectRevert(refusal);
        vm.prank(verifier(seat));
        rounds.vote(task, r, hash);
    }

    function voteAll(uint32 r) internal {
        for (uint256 i; i < 256 && phase(r) == Phase.VOTE; ++i) {
            if (has(view_(r).checkers & ~view_(r).voted, i)) vote(r, i);
        }
    }

    function reveal(uint32 r, uint256 seat) internal {
        Ballot memory b = ballot(r, seat);
        vm.prank(verifier(seat));
        rounds.reveal(task, r, b);
    }

    function revealRefused(uint32 r, uint256 seat, bytes memory refusal) internal {
        Ballot memory b = ballot(r, seat);
        vm.expectRevert(refusal);
        vm.prank(verifier(seat));
        rounds.reveal(task, r, b);
    }

    function revealAll(uint32 r) internal {
        for (uint256 i; i < 256 && phase(r) == Phase.REVEAL; ++i) {
            if (has(view_(r).voted & ~view_(r).revealed, i)) reveal(r, i);
        }
    }

    function toSoft(uint32 r) internal {
        toVote(r);
        voteAll(r);
        revealAll(r);
        assertPhase(r, Phase.CHALLENGE);
    }
}
