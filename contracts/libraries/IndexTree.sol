// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Merkle tree that binds index and count (docs/protocol.md, section 3).
library IndexTree {
    function leafNode(bytes memory leaf) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"00", leaf));
    }

    function rootOf(uint256 count, bytes32 top) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"02", uint64(count), top));
    }

    /// Levels above the leaves: ceil(log2 count).
    function depth(uint256 count) internal pure returns (uint256 levels) {
        while ((uint256(1) << levels) < count) {
            ++levels;
        }
    }

    /// Whether `leaf` stands at `index` among `count` leaves. A missing right sibling is the zero word in `proof`.
    function verify(bytes32 root, bytes memory leaf, uint256 index, uint256 count, bytes32[] memory proof)
        internal
        pure
        returns (bool)
    {
        if (index >= count || count > type(uint64).max || proof.length != depth(count)) return false;
        bytes32 node = leafNode(leaf);
        for (uint256 level; level < proof.length; ++level) {
            bytes32 sibling = proof[level];
            node = (index >> level) & 1 == 0 ? _inner(node, sibling) : _inner(sibling, node);
        }
        return rootOf(count, node) == root;
    }

    function _inner(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"01", left, right));
    }
}
