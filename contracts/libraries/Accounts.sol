// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Role} from "./Types.sol";

/// @title Names of the accounts that the vault keeps.
library Accounts {
    bytes32 internal constant BURNED = keccak256("burned");

    /// An owner's free balance. No pot can collide with it: its upper twelve bytes are zero.
    function free(address owner) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(owner)));
    }

    /// What a task still has to open rounds with.
    function escrow(uint256 task) internal pure returns (bytes32) {
        return keccak256(abi.encode("escrow", task));
    }

    /// The initiator's bond.
    function bond(uint256 task) internal pure returns (bytes32) {
        return keccak256(abi.encode("bond", task));
    }

    /// The reserve of an open round. Empty once the round is final.
    function pot(uint256 task, uint32 round) internal pure returns (bytes32) {
        return keccak256(abi.encode("pot", task, round));
    }

    /// What the settled rounds of a task owe and nobody has claimed yet: one account, so that a claim is one move.
    function claims(uint256 task) internal pure returns (bytes32) {
        return keccak256(abi.encode("claims", task));
    }

    function stake(uint256 task, Role role, uint8 position) internal pure returns (bytes32) {
        return keccak256(abi.encode("stake", task, role, position));
    }

    /// Challengers' bonds, and bounties on their way to them. Empty once the docket is closed.
    function docketPot(uint256 task, uint32 round, uint8 docket) internal pure returns (bytes32) {
        return keccak256(abi.encode("docket", task, round, docket));
    }
}
