// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {Ballot, DocketPhase, DocketView, Phase, Role, Ruling} from "../../contracts/libraries/Types.sol";
import {Evidence} from "./Evidence.sol";
import {Moves} from "./Moves.sol";

/// The juries' moves, evidence, and the end of a round.
abstract contract Fixture is Moves {
    bytes32 internal constant SALT = keccak256("juror");

    function docket(uint32 r, uint8 d) internal view returns (DocketView memory) {
        return court.docket(task, r, d);
    }

    function assertRuled(uint32 r, uint8 d, uint16 i, Ruling expected) internal view {
        vm.assertEq(uint256(court.dispute(task, r, d, i).ruling), uint256(expected), "ruling");
    }

    /// The same ruling on every dispute of a docket.
    function same(uint32 r, uint8 d, Ruling ruling) internal view returns (uint8[] memory rulings) {
        rulings = new uint8[](docket(r, d).disputes);
        for (uint256 i; i < rulings.length; ++i) {
            rulings[i] = uint8(ruling);
        }
    }

    function jcommit(uint32 r, uint8 d, uint256 juror, uint8[] memory rulings) internal {
        bytes32 hash = court.jurorHash(task, r, d, verifier(juror), rulings, new bytes32[](rulings.length), SALT);
        vm.prank(verifier(juror));
        court.jcommit(task, r, d, hash);
    }

    function jreveal(uint32 r, uint8 d, uint256 juror, uint8[] memory rulings) internal {
        vm.prank(verifier(juror));
        court.jreveal(task, r, d, rulings, new bytes32[](rulings.length), SALT);
    }

    /// Every juror rules as `rulings` says, in both steps; the docket closes with the last of them.
    function judge(uint32 r, uint8 d, uint8[] memory rulings) internal {
        uint256 jurors = docket(r, d).jurors;
        for (uint256 i; i < 256; ++i) {
            if (has(jurors, i)) jcommit(r, d, i, rulings);
        }
        for (uint256 i; i < 256; ++i) {
            if (has(jurors, i)) jreveal(r, d, i, rulings);
        }
        vm.assertTrue(docket(r, d).phase == DocketPhase.CLOSED, "docket closed");
    }

    /// Juror i rules `each[i]` on everything; NONE stays away altogether.
    function judgeEach(uint32 r, uint8 d, Ruling[5] memory each) internal {
        uint256 jurors = docket(r, d).jurors;
        for (uint256 i; i < 5; ++i) {
            if (has(jurors, i) && each[i] != Ruling.NONE) jcommit(r, d, i, same(r, d, each[i]));
        }
        if (docket(r, d).phase == DocketPhase.JCOMMIT) vm.roll(docket(r, d).phaseEnd + 1);
        for (uint256 i; i < 5; ++i) {
            if (has(jurors, i) && each[i] != Ruling.NONE) jreveal(r, d, i, same(r, d, each[i]));
        }
        if (docket(r, d).phase != DocketPhase.CLOSED) {
            vm.roll(docket(r, d).phaseEnd + 1);
            court.poke(task, r);
        }
    }

    /// Both dockets are judged, whatever is in them, and the round ends.
    function settle(uint32 r, Ruling ruling) internal {
        closeDocket(r, 1, ruling);
        uint64 end = view_(r).phaseEnd;
        if (block.number <= end) vm.roll(end + 1);
        rounds.poke(task, r);
        closeDocket(r, 2, Ruling.CLEAN);
        rounds.poke(task, r);
    }

    function closeDocket(uint32 r, uint8 d, Ruling ruling) internal {
        if (docket(r, d).phase == DocketPhase.JCOMMIT) judge(r, d, same(r, d, ruling));
    }

    function settle(uint32 r) internal {
        settle(r, Ruling.CLEAN);
        assertPhase(r, Phase.FINAL);
    }

    /// Waits until the audit beacon can be read.
    function readAudit(uint32 r) internal {
        vm.roll(view_(r).auditTarget + 1);
        rounds.poke(task, r);
    }

    /// The leaf that a seat was asked for, and its proof.
    function evidence(uint32 r, uint256 seat) internal view returns (bytes memory leaf, bytes32[] memory proof) {
        (, uint256 index,) = rounds.auditOf(task, r, uint8(seat));
        bytes[] memory all = Evidence.leaves(task, r, seat, passesOf(ballot(r, seat).marks), verifier(seat));
        (, proof) = Evidence.tree(all, index);
        leaf = all[index];
    }

    function post(uint32 r, uint256 seat) internal {
        (bytes memory leaf, bytes32[] memory proof) = evidence(r, seat);
        Ballot memory b = ballot(r, seat);
        vm.prank(verifier(seat));
        rounds.postEvidence(task, r, b, leaf, proof);
    }

    function postAll(uint32 r) internal {
        readAudit(r);
        uint256 revealed = view_(r).revealed;
        for (uint256 i; i < 256; ++i) {
            if (!has(revealed, i)) continue;
            (bool audited,,) = rounds.auditOf(task, r, uint8(i));
            if (audited) post(r, i);
        }
    }

    function claim(Role role, uint256 position, uint32 r) internal returns (uint256) {
        uint32[] memory numbers = new uint32[](1);
        numbers[0] = r;
        return rounds.claim(task, role, uint8(position), numbers);
    }

    function claimAll(uint32 r) internal returns (uint256 paid) {
        for (uint256 i; i < slots.count(task, Role.TRAINER); ++i) {
            paid += claim(Role.TRAINER, i, r);
        }
        for (uint256 i; i < slots.count(task, Role.VERIFIER); ++i) {
            paid += claim(Role.VERIFIER, i, r);
        }
    }

    function pot(uint32 r) internal view returns (uint256) {
        return held(Accounts.pot(task, r));
    }

    /// What settled rounds owe and nobody has claimed.
    function claims() internal view returns (uint256) {
        return held(Accounts.claims(task));
    }

    /// What is left of a round's pot, and of what this and earlier rounds owe.
    function unclaimed(uint32 r) internal view returns (uint256) {
        return pot(r) + claims();
    }

    function escrow() internal view returns (uint256) {
        return held(Accounts.escrow(task));
    }
}
