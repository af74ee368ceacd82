// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Bits} from "../libraries/Bits.sol";
import {Payout} from "../libraries/Payout.sol";
import {Phase, Role} from "../libraries/Types.sol";
import {RoundsStore} from "./RoundsStore.sol";

/// @title Fines, tips, settlement and claims.
abstract contract RoundsMoney is RoundsStore {
    using Bits for uint256;

    /// @inheritdoc IRounds
    function tip(uint256 task, uint32 number, address to) external {
        require(msg.sender == address(COURT), Rounds_NotCore(msg.sender));
        _tip(task, number, to);
    }

    /// @inheritdoc IRounds
    function claim(uint256 task, Role role, uint8 position, uint32[] calldata rounds)
        external
        returns (uint256 amount)
    {
        Terms storage t = _terms[task];
        bytes32 to = Accounts.free(SLOTS.ownerOf(task, role, position));
        for (uint256 i; i < rounds.length; ++i) {
            Round storage r = _rounds[task][rounds[i]];
            if (!_terminal(r.phase)) _sync(task, rounds[i]);
            require(_terminal(r.phase), Rounds_WrongPhase(task, rounds[i], r.phase));
            uint256 due = _due(task, rounds[i], role, position);
            if (due == 0) continue;
            if (role == Role.TRAINER) r.claimedTrainers |= uint64(1 << position);
            else r.claimedVerifiers |= 1 << position;
            amount += due;
            VAULT.move(t.token, Accounts.pot(task, rounds[i]), to, due);
        }
        emit Claimed(task, role, position, amount);
    }

    /// @inheritdoc IRounds
    function claimable(uint256 task, Role role, uint8 position, uint32[] calldata rounds)
        external
        view
        returns (uint256 amount)
    {
        for (uint256 i; i < rounds.length; ++i) {
            bool repeated;
            for (uint256 j; j < i; ++j) {
                repeated = repeated || rounds[j] == rounds[i];
            }
            if (!repeated) amount += _due(task, rounds[i], role, position);
        }
    }

    /// Performs the transitions that are due; true if there were any.
    function _sync(uint256 task, uint32 number) internal virtual returns (bool changed);

    /// Pays while tips are left: out of the pot, or out of the escrow that the rest of a settled pot went back to.
    function _tip(uint256 task, uint32 number, address to) internal {
        Round storage r = _rounds[task][number];
        if (r.tips >= Payout.TIPS) return;
        ++r.tips;
        bytes32 from = _terminal(r.phase) ? Accounts.escrow(task) : Accounts.pot(task, number);
        Terms storage t = _terms[task];
        VAULT.move(t.token, from, Accounts.free(to), t.tip);
    }

    function _fineAll(uint256 task, uint32 number, Role role, uint256 set, uint256 amount, string memory duty) internal {
        for (; set != 0; set &= set - 1) {
            SLOTS.fine(task, role, uint8(set.lowest()), number, amount, duty);
        }
    }

    /// Ends a round for good: fixes who is paid, burns what is forfeited and returns what nobody can claim.
    function _settle(uint256 task, uint32 number, Phase phase) internal {
        Round storage r = _rounds[task][number];
        (, uint64 guilty, uint64 cleared,) = COURT.outcome(task, number);
        uint64 convicts = uint64(SLOTS.convicted(task, Role.TRAINER));
        r.phase = phase;
        r.paid = (r.accepted | cleared) & ~guilty & ~convicts;
        r.forfeited = r.verifiers & SLOTS.convicted(task, Role.VERIFIER);
        // Forfeits burn: what is left after them goes back to the escrow, so they must be gone before.
        _burnForfeits(task, number, uint256(guilty | (r.accepted & convicts)).count());
        uint256 returned = _returnRest(task, number);
        while (_terminal(_rounds[task][settledThrough[task] + 1].phase)) ++settledThrough[task];
        emit PhaseChanged(task, number, phase, r.phaseEnd);
        emit Finalised(task, number, phase, r.paid, returned);
    }

    function _burnForfeits(uint256 task, uint32 number, uint256 guilty) private {
        Round storage r = _rounds[task][number];
        uint256 amount = guilty * _terms[task].price - COURT.spentOf(task, number);
        for (uint256 left = r.forfeited; left != 0; left &= left - 1) {
            amount += _verifierFees(task, number, uint8(left.lowest()));
        }
        VAULT.burn(_terms[task].token, Accounts.pot(task, number), amount);
    }

    function _returnRest(uint256 task, uint32 number) private returns (uint256 rest) {
        Round storage r = _rounds[task][number];
        Terms storage t = _terms[task];
        bytes32 pot = Accounts.pot(task, number);
        uint256 owed = uint256(r.paid).count() * t.price;
        uint256 seats = (r.attesters | r.revealed) & ~r.forfeited;
        for (; seats != 0; seats &= seats - 1) {
            owed += _verifierFees(task, number, uint8(seats.lowest()));
        }
        rest = VAULT.balanceOf(t.token, pot) - owed;
        VAULT.move(t.token, pot, Accounts.escrow(task), rest);
    }

    /// What is still to be paid to a position for a settled round.
    function _due(uint256 task, uint32 number, Role role, uint8 position) private view returns (uint256) {
        Round storage r = _rounds[task][number];
        if (!_terminal(r.phase)) return 0;
        if (role == Role.TRAINER) {
            bool owed = position < 64 && uint256(r.paid & ~r.claimedTrainers).has(position);
            return owed ? _terms[task].price : 0;
        }
        if ((r.forfeited | r.claimedVerifiers).has(position)) return 0;
        return _verifierFees(task, number, position);
    }

    function _verifierFees(uint256 task, uint32 number, uint8 position) private view returns (uint256 fees) {
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
}
