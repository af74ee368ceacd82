// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Head} from "../libraries/Head.sol";
import {Phase} from "../libraries/Types.sol";
import {RoundsEngine} from "./RoundsEngine.sol";
import {RoundsMembers} from "./RoundsMembers.sol";
import {RoundsRules} from "./RoundsRules.sol";

/// @title The half of Rounds that people call; transitions run in the engine, on this contract's storage.
abstract contract RoundsFront is RoundsMembers, RoundsRules {
    RoundsEngine public immutable ENGINE;

    constructor(address[5] memory core) {
        ENGINE = new RoundsEngine(core);
    }

    /// The round, which must be in `phase` after whatever is due. Within a window nothing is due that its calls did not do.
    function _inPhase(uint256 task, uint32 number, Phase phase) internal returns (Round storage r) {
        r = _rounds[task][number];
        Head h = _head(r);
        if (h.isIn(phase, 0) && block.number <= h.phaseEnd()) return r;
        _sync(task, number);
        require(r.phase == phase, Rounds_WrongPhase(task, number, r.phase));
    }

    /// Performs the transitions that are due; true if there were any.
    function _sync(uint256 task, uint32 number) internal returns (bool changed) {
        return abi.decode(_run(abi.encodeCall(RoundsEngine.sync, (task, number))), (bool));
    }

    function _open(uint256 task, uint32 number) internal {
        _run(abi.encodeCall(RoundsEngine.open, (task, number)));
    }

    /// Runs the engine on this storage; what it reverts with, this reverts with.
    function _run(bytes memory call) private returns (bytes memory) {
        (bool fine, bytes memory answer) = address(ENGINE).delegatecall(call);
        if (!fine) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        return answer;
    }
}
