// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A verifier's chain of secrets: each is the preimage of the one opened before it.
library Secrets {
    uint256 private constant MAX_STEPS = 256;

    /// Whether `secret`, the `index`-th of its chain, leads to `last`, which was the `opened`-th.
    function follows(bytes32 secret, uint256 index, bytes32 last, uint256 opened) internal pure returns (bool) {
        if (index <= opened || index - opened > MAX_STEPS) return false;
        for (uint256 step = opened; step < index; ++step) {
            secret = keccak256(abi.encode(secret));
        }
        return secret == last;
    }
}
