// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IndexTree} from "../../contracts/libraries/IndexTree.sol";
import {Evidence} from "./Evidence.sol";
import {Test} from "./Test.sol";

/// The trees of tests/vectors/index_tree.json, which Python made.
contract IndexTreeTest is Test {
    string private json;

    function setUp() public {
        json = vm.readFile("tests/vectors/index_tree.json");
    }

    function slice(bytes32[] memory all, uint256 start, uint256 end) private pure returns (bytes32[] memory part) {
        part = new bytes32[](end - start);
        for (uint256 i; i < part.length; ++i) {
            part[i] = all[start + i];
        }
    }

    function test_proofs_of_python_hold_at_their_index_and_count_alone() public view {
        bytes32[] memory leaves = vm.parseJsonBytes32Array(json, ".leaves");
        bytes32[] memory roots = vm.parseJsonBytes32Array(json, ".roots");
        uint256[] memory counts = vm.parseJsonUintArray(json, ".proof_count");
        uint256[] memory indices = vm.parseJsonUintArray(json, ".proof_index");
        uint256[] memory starts = vm.parseJsonUintArray(json, ".proof_offset");
        bytes32[] memory nodes = vm.parseJsonBytes32Array(json, ".proof_nodes");
        for (uint256 i; i < counts.length; ++i) {
            (uint256 place, uint256 n) = (indices[i], counts[i]);
            bytes memory leaf = abi.encode(leaves[place]);
            bytes32[] memory proof = slice(nodes, starts[i], starts[i + 1]);
            vm.assertTrue(IndexTree.verify(roots[n], leaf, place, n, proof), "proof");
            vm.assertTrue(!IndexTree.verify(roots[n], leaf, place, n + 1, proof), "other count");
            vm.assertTrue(!IndexTree.verify(roots[n], leaf, place + n, n, proof), "index beyond");
            vm.assertTrue(n == 1 || !IndexTree.verify(roots[n], leaf, place ^ 1, n, proof), "other index");
            vm.assertTrue(!IndexTree.verify(roots[n], abi.encode(roots[n]), place, n, proof), "other leaf");
        }
    }

    function test_depths_and_the_empty_root_are_those_of_python() public view {
        uint256[] memory depths = vm.parseJsonUintArray(json, ".depths");
        for (uint256 n; n < depths.length; ++n) {
            vm.assertEq(IndexTree.depth(n), depths[n], "depth");
        }
        vm.assertEq(IndexTree.rootOf(0, 0), vm.parseJsonBytes32Array(json, ".roots")[0], "empty root");
    }

    function test_leaves_of_any_length_are_proven() public view {
        bytes[] memory leaves = vm.parseJsonBytesArray(json, ".long_leaves");
        bytes32 root = vm.parseJsonBytes32Array(json, ".long_root")[0];
        uint256[] memory starts = vm.parseJsonUintArray(json, ".long_offset");
        bytes32[] memory nodes = vm.parseJsonBytes32Array(json, ".long_nodes");
        for (uint256 i; i < leaves.length; ++i) {
            bytes32[] memory proof = slice(nodes, starts[i], starts[i + 1]);
            vm.assertTrue(IndexTree.verify(root, leaves[i], i, leaves.length, proof), "long leaf");
        }
    }

    function test_the_tests_own_trees_are_those_of_python() public view {
        bytes32[] memory words = vm.parseJsonBytes32Array(json, ".leaves");
        bytes32[] memory roots = vm.parseJsonBytes32Array(json, ".roots");
        for (uint256 n; n <= 20; ++n) {
            bytes[] memory leaves = new bytes[](n);
            for (uint256 i; i < n; ++i) {
                leaves[i] = abi.encode(words[i]);
            }
            (bytes32 root,) = Evidence.tree(leaves, 0);
            vm.assertEq(root, roots[n], "root");
        }
    }

    function testFuzz_a_changed_proof_never_holds(uint256 count, uint256 index, uint256 place, bytes32 flip)
        public
        pure
    {
        count = bound(count, 2, 40);
        index = bound(index, 0, count - 1);
        vm.assume(flip != 0);
        bytes[] memory leaves = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            leaves[i] = abi.encode(i);
        }
        (bytes32 root, bytes32[] memory proof) = Evidence.tree(leaves, index);
        vm.assertTrue(IndexTree.verify(root, leaves[index], index, count, proof), "proof");
        proof[place % proof.length] ^= flip;
        vm.assertTrue(!IndexTree.verify(root, leaves[index], index, count, proof), "changed proof");
    }

    function test_an_inner_node_is_no_leaf() public pure {
        bytes[] memory leaves = new bytes[](4);
        for (uint256 i; i < 4; ++i) {
            leaves[i] = abi.encode(i);
        }
        (bytes32 root, bytes32[] memory proof) = Evidence.tree(leaves, 0);
        bytes32[] memory shorter = slice(proof, 1, 2);
        bytes memory node = abi.encodePacked(IndexTree.leafNode(leaves[0]), proof[0]);
        vm.assertTrue(!IndexTree.verify(root, node, 0, 2, shorter), "inner node as a leaf");
    }
}
