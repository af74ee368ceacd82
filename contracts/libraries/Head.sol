// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Phase} from "./Types.sol";

/// The first word of a round as it lies in storage: phase (8 bits), flags (8), phaseEnd (48), trainers (64), committed
/// (64), held (64). Calls that many people make read it once and take it apart here.
type Head is uint256;

using HeadLib for Head global;

library HeadLib {
    uint256 private constant FLAGS = 8;
    uint256 private constant PHASE_END = 16;
    uint256 private constant TRAINERS = 64;
    uint256 private constant COMMITTED = 128;
    uint256 private constant HELD = 192;

    function phase(Head h) internal pure returns (Phase) {
        return Phase(uint8(Head.unwrap(h)));
    }

    /// Whether the round is in a phase, with all of these flags.
    function isIn(Head h, Phase phase_, uint256 flags) internal pure returns (bool) {
        return Head.unwrap(h) & (0xff | flags << FLAGS) == uint256(phase_) | flags << FLAGS;
    }

    /// Whether the round has any of these flags.
    function has(Head h, uint256 flags) internal pure returns (bool) {
        return Head.unwrap(h) & (flags << FLAGS) != 0;
    }

    function phaseEnd(Head h) internal pure returns (uint48) {
        return uint48(Head.unwrap(h) >> PHASE_END);
    }

    function trainers(Head h) internal pure returns (uint64) {
        return uint64(Head.unwrap(h) >> TRAINERS);
    }

    function committed(Head h) internal pure returns (uint64) {
        return uint64(Head.unwrap(h) >> COMMITTED);
    }

    function held(Head h) internal pure returns (uint64) {
        return uint64(Head.unwrap(h) >> HELD);
    }

    /// With one more position committed.
    function commit(Head h, uint256 bit) internal pure returns (Head) {
        return Head.wrap(Head.unwrap(h) | bit << COMMITTED);
    }

    function hold(Head h, uint64 held_) internal pure returns (Head) {
        return Head.wrap(uint256(held_) << HELD | Head.unwrap(h) << (256 - HELD) >> (256 - HELD));
    }
}
