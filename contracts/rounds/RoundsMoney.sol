// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Bits} from "../libraries/Bits.sol";
import {Head} from "../libraries/Head.sol";
import {Panel} from "../libraries/Panel.sol";
import {Role} from "../libraries/Types.sol";
import {RoundsFront} from "./RoundsFront.sol";

/// @title Tips and claims.
abstract contract RoundsMoney is RoundsFront {
    using Bits for uint256;
    using Panel for mapping(uint256 => uint256);

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
        amount = role == Role.TRAINER ? _takePrices(task, position, rounds) : _takeFees(task, position, rounds);
        emit Claimed(task, role, position, amount);
        bytes32 to = Accounts.free(_owners[task][role][position]);
        VAULT.move(_terms[task].token, Accounts.claims(task), to, amount);
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
            Round storage r = _rounds[task][rounds[i]];
            if (repeated || !_terminal(r.phase)) continue;
            if (role == Role.TRAINER) {
                if (_isOwed(r, position)) amount += _terms[task].price;
            } else {
                (, uint256 cell) = r.panel.find(position);
                if (cell & Panel.CLAIMED != 0) continue;
                amount += _fees(r, _terms[task], Panel.attested(cell) ? 1 : 0, Panel.markedBy(cell));
            }
        }
    }

    function _takePrices(uint256 task, uint8 position, uint32[] calldata rounds) private returns (uint256) {
        uint256 owed;
        for (uint256 i; i < rounds.length; ++i) {
            Round storage r = _rounds[task][rounds[i]];
            if (!_isOwed(r, position) && !_terminal(r.phase)) _finish(task, rounds[i], r);
            if (!_isOwed(r, position)) continue;
            r.claimed |= uint64(1 << position);
            ++owed;
        }
        return owed * _terms[task].price;
    }

    function _takeFees(uint256 task, uint8 position, uint32[] calldata rounds) private returns (uint256) {
        (uint256 attested, uint256 marked) = (0, 0); // contributions
        for (uint256 i; i < rounds.length; ++i) {
            Round storage r = _rounds[task][rounds[i]];
            Head h = _head(r);
            if (!_terminal(h.phase())) _finish(task, rounds[i], r);
            (uint256 seat_, uint256 cell) = r.panel.find(position);
            if (cell == 0 || cell & Panel.CLAIMED != 0) continue;
            r.panel.toggle(seat_, Panel.CLAIMED);
            if (Panel.attested(cell)) attested += uint256(h.committed()).count();
            marked += Panel.markedBy(cell);
        }
        return attested * _terms[task].attestFee + marked * _terms[task].checkFee;
    }

    /// Settles a round that only waits for a call.
    function _finish(uint256 task, uint32 number, Round storage r) private {
        _sync(task, number);
        require(_terminal(r.phase), Rounds_WrongPhase(task, number, r.phase));
    }

    function _isOwed(Round storage r, uint8 position) private view returns (bool) {
        return position < 64 && uint256(r.paid & ~r.claimed).has(position);
    }
}
