// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBeacon} from "../interfaces/IBeacon.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Bits} from "../libraries/Bits.sol";
import {Draw} from "../libraries/Draw.sol";
import {Panel} from "../libraries/Panel.sol";
import {Payout} from "../libraries/Payout.sol";
import {Phase, TaskParams} from "../libraries/Types.sol";
import {RoundsStore} from "./RoundsStore.sol";

/// @title Rules that both halves of Rounds read: when a round can open, who is audited, what a verifier earned.
abstract contract RoundsRules is RoundsStore {
    using Bits for uint256;
    using Panel for mapping(uint256 => uint256);

    /// Why the next round cannot open now; empty if it can.
    function _obstacle(uint256 task) internal view returns (string memory) {
        TaskParams memory p = TASKS.params(task);
        uint32 number = _progress[task].opened + 1;
        (uint64 trainerSet, uint256 verifierSet) = SLOTS.ready(task);
        uint256 trainers = uint256(trainerSet).count();
        uint256 verifiers = verifierSet.count();
        if (number > p.rounds) return "no rounds left";
        if (number > 1 && _rounds[task][number - 1].phase < Phase.CHALLENGE) return "the round before is not soft";
        if (number > 2 && _evidenceDue(task, number - 2)) return "evidence of the round before the last is due";
        if (number == 1 && block.number < p.startBlock) {
            if (trainers < p.trainerSlots || verifiers < p.verifierSeats) return "slots are not full";
        }
        if (trainers == 0) return "no trainer";
        if (verifiers < p.minVerifierSeats) return "too few verifier seats";
        uint256 reserve = Payout.reserve(p.money, trainers, verifiers, p.committee);
        if (VAULT.balanceOf(p.token, Accounts.escrow(task)) < reserve) return "escrow below the reserve";
        return "";
    }

    /// Whether somebody may still have to prove what it voted.
    function _evidenceDue(uint256 task, uint32 number) private view returns (bool) {
        Round storage r = _rounds[task][number];
        if (r.phase != Phase.CHALLENGE || _is(r, AUDITS_FILED)) return false;
        // An audit beacon that is yet to come moves the end of the window back.
        bool awaited = !_is(r, AUDIT_READ) && !IBeacon(_terms[task].beacon).expired(r.auditTarget);
        return awaited || block.number <= r.phaseEnd;
    }

    /// Whether a seat is audited, and for which of its evidence leaves.
    function _auditOf(uint256 task, uint32 number, uint256 cell)
        internal
        view
        returns (bool audited, uint256 index, uint256 leaves)
    {
        Terms storage t = _terms[task];
        leaves = Panel.passesOf(cell) * (uint256(t.segmentsPerChecker) + t.rolloutsPerChecker);
        if (leaves == 0) return (false, 0, 0);
        bytes32 beacon = _rounds[task][number].audit;
        uint256 position = Panel.positionOf(cell);
        Draw.Source memory source = Draw.seated(task, number, beacon, 0, position, 0, Draw.AUDIT);
        audited = uint32(Draw.word(source, 0)) < t.auditRate;
        if (audited) index = Draw.below(Draw.seated(task, number, beacon, 0, position, 0, Draw.SAMPLE), leaves);
    }

    /// What seats earned that attested to all commitments `attested` times and marked so many contributions.
    function _fees(Round storage r, Terms storage t, uint256 attested, uint256 marked) internal view returns (uint256) {
        return attested * uint256(r.committed).count() * t.attestFee + marked * t.checkFee;
    }

    /// Pays while tips are left: out of the pot, or out of the escrow that the rest of a settled pot went back to.
    function _tip(uint256 task, uint32 number, address to) internal {
        Round storage r = _rounds[task][number];
        if (r.tips >= Payout.TIPS) return;
        ++r.tips;
        bytes32 from = _terminal(r.phase) ? Accounts.escrow(task) : Accounts.pot(task, number);
        Terms storage t = _terms[task];
        VAULT.move(t.token, from, Accounts.free(to), t.tip);
    }
}
