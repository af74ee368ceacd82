// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IndexTree} from "../../contracts/libraries/IndexTree.sol";
import {Check} from "../../contracts/libraries/Types.sol";

/// A checker's evidence leaves and the tree over them (docs/protocol.md, section 3), written apart from the contracts.
library Evidence {
    uint256 internal constant PER_PASS = 3; // one segment and two groups

    /// The leaf at `index` of a checker that marked `passes` PASS.
    function leaf(uint256 task, uint256 round, uint256 seat, uint256 passes, uint256 index, address operator)
        internal
        pure
        returns (bytes memory)
    {
        uint256 draw = index % PER_PASS;
        (Check kind, uint256 i) = draw == 0 ? (Check.SEGMENT, 0) : (Check.ROLLOUT, draw - 1);
        return
            abi.encode(task, round, seat, nth(passes, index / PER_PASS), kind, i, uint256(9), operator, keccak256("e"));
    }

    function leaves(uint256 task, uint256 round, uint256 seat, uint256 passes, address operator)
        internal
        pure
        returns (bytes[] memory all)
    {
        uint256 n;
        for (uint256 slot; slot < 64; ++slot) {
            n += (passes >> slot) & 1;
        }
        all = new bytes[](n * PER_PASS);
        for (uint256 i; i < all.length; ++i) {
            all[i] = leaf(task, round, seat, passes, i, operator);
        }
    }

    /// Root over the leaves, and the proof of one of them.
    function tree(bytes[] memory all, uint256 index) internal pure returns (bytes32 root, bytes32[] memory proof) {
        if (all.length == 0) return (IndexTree.rootOf(0, 0), proof);
        bytes32[] memory row = new bytes32[](all.length);
        for (uint256 i; i < row.length; ++i) {
            row[i] = keccak256(abi.encodePacked(uint8(0), all[i]));
        }
        proof = new bytes32[](IndexTree.depth(all.length));
        for (uint256 level; level < proof.length; ++level) {
            uint256 sibling = index ^ 1;
            if (sibling < row.length) proof[level] = row[sibling];
            row = parents(row);
            index >>= 1;
        }
        root = keccak256(abi.encodePacked(uint8(2), uint64(all.length), row[0]));
    }

    function parents(bytes32[] memory row) private pure returns (bytes32[] memory above) {
        above = new bytes32[]((row.length + 1) / 2);
        for (uint256 i; i < above.length; ++i) {
            bytes32 right = 2 * i + 1 < row.length ? row[2 * i + 1] : bytes32(0);
            above[i] = keccak256(abi.encodePacked(uint8(1), row[2 * i], right));
        }
    }

    function nth(uint256 set, uint256 n) private pure returns (uint256 position) {
        for (;; ++position) {
            if ((set >> position) & 1 == 0) continue;
            if (n == 0) return position;
            --n;
        }
    }
}
