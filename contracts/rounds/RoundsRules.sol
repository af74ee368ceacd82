// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accounts} from "../libraries/Accounts.sol";
import {Bits} from "../libraries/Bits.sol";
import {Draw} from "../libraries/Draw.sol";
import {Payout} from "../libraries/Payout.sol";
import {Phase, TaskParams} from "../libraries/Types.sol";
import {RoundsStore} from "./RoundsStore.sol";

/// @title Rules that both halves of Rounds read: when a round can open, who is audited, what a verifier earned.
abstract contract RoundsRules is RoundsStore {
    using Bits for uint256;

    /// Why the next round cannot open now; empty if it can.
    function _obstacle(uint256 task) internal view returns (string memory) {
        TaskParams memory p = TASKS.params(task);
        uint32 number = _opened[task] + 1;
        (uint64 trainerSet, uint256 verifierSet) = SLOTS.ready(task);
        uint256 trainers = uint256(trainerSet).count();
        uint256 verifiers = verifierSet.count();
        if (number > p.rounds) return "no rounds left";
        if (number > 1 && _rounds[task][number - 1].phase < Phase.CHALLENGE) return "the round before is not soft";
        if (number == 1 && block.number < p.startBlock) {
            if (trainers < p.trainerSlots || verifiers < p.verifierSeats) return "slots are not full";
        }
        if (trainers == 0) return "no trainer";
        if (verifiers < p.minVerifierSeats) return "too few verifier seats";
        uint256 reserve = Payout.reserve(p.money, trainers, verifiers, p.committee);
        if (VAULT.balanceOf(p.token, Accounts.escrow(task)) < reserve) return "escrow below the reserve";
        return "";
    }

    function _auditOf(uint256 task, uint32 number, uint8 position)
        internal
        view
        returns (bool audited, uint256 index, uint256 leaves)
    {
        Round storage r = _rounds[task][number];
        Terms storage t = _terms[task];
        if (!r.revealed.has(position)) return (false, 0, 0);
        uint256 passes = uint256(Bits.everySecond(_ballots[task][number][position].marks)).count();
        leaves = passes * (uint256(t.segmentsPerChecker) + t.rolloutsPerChecker);
        if (leaves == 0) return (false, 0, 0);
        Draw.Source memory source = Draw.seated(task, number, r.audit, 0, position, 0, Draw.AUDIT);
        audited = uint32(Draw.word(source, 0)) < t.auditRate;
        if (audited) index = Draw.below(Draw.seated(task, number, r.audit, 0, position, 0, Draw.SAMPLE), leaves);
    }

    function _verifierFees(uint256 task, uint32 number, uint8 position) internal view returns (uint256 fees) {
        Round storage r = _rounds[task][number];
        Terms storage t = _terms[task];
        if (r.attesters.has(position) && !r.toAttest.has(position)) {
            fees = uint256(r.committed).count() * t.attestFee;
        }
        if (r.revealed.has(position)) {
            uint256 marks = _ballots[task][number][position].marks;
            fees += marks.count() * t.checkFee; // PASS is 01 and CHALLENGE 10: one bit each
        }
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
