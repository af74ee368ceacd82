// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Secrets} from "../../contracts/libraries/Secrets.sol";
import {Test} from "./Test.sol";

/// A verifier's chain of secrets: s(0) is its tip, s(i) the preimage of s(i - 1).
contract SecretsTest is Test {
    uint256 private constant LENGTH = 300;

    function s(uint256 index) private pure returns (bytes32 link) {
        link = keccak256("top");
        for (uint256 i = LENGTH; i > index; --i) {
            link = keccak256(abi.encode(link));
        }
    }

    function test_each_link_follows_the_one_before() public pure {
        vm.assertTrue(Secrets.follows(s(1), 1, s(0), 0), "first");
        vm.assertTrue(Secrets.follows(s(2), 2, s(1), 1), "second");
    }

    function testFuzz_links_that_were_missed_do_not_shift_the_chain(uint256 opened, uint256 index) public pure {
        opened = bound(opened, 0, 40);
        index = bound(index, opened + 1, 44);
        vm.assertTrue(Secrets.follows(s(index), index, s(opened), opened), "its own");
        vm.assertTrue(!Secrets.follows(s(index + 1), index, s(opened), opened), "the next one is too early");
    }

    function test_a_link_of_another_round_or_person_does_not_follow() public pure {
        vm.assertTrue(!Secrets.follows(s(2), 1, s(0), 0), "not its round");
        vm.assertTrue(!Secrets.follows(s(1), 1, s(1), 1), "opened already");
        vm.assertTrue(!Secrets.follows(keccak256("mine"), 1, s(0), 0), "of another chain");
    }

    function test_the_chain_is_walked_for_256_steps_and_no_further() public pure {
        vm.assertTrue(Secrets.follows(s(256), 256, s(0), 0), "256");
        vm.assertTrue(!Secrets.follows(s(257), 257, s(0), 0), "257");
        vm.assertTrue(Secrets.follows(s(257), 257, s(256), 256), "after the one before");
    }
}
