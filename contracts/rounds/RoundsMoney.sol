// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Bits} from "../libraries/Bits.sol";
import {Phase, Role} from "../libraries/Types.sol";
import {RoundsFront} from "./RoundsFront.sol";

/// @title Tips and claims.
abstract contract RoundsMoney is RoundsFront {
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
}
