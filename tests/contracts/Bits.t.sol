// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bits} from "../../contracts/libraries/Bits.sol";
import {Test} from "./Test.sol";

/// Every trick with words against the loop that it replaces.
contract BitsTest is Test {
    function testFuzz_count(uint256 set) public pure {
        uint256 n;
        for (uint256 i; i < 256; ++i) {
            if (Bits.has(set, i)) ++n;
        }
        vm.assertEq(Bits.count(set), n, "count");
    }

    function test_count_of_the_full_and_the_empty_word() public pure {
        vm.assertEq(Bits.count(type(uint256).max), 256, "full");
        vm.assertEq(Bits.count(0), 0, "empty");
    }

    function testFuzz_nth_walks_the_set_in_ascending_order(uint256 set) public pure {
        uint256 n;
        for (uint256 i; i < 256; ++i) {
            if (Bits.has(set, i)) vm.assertEq(Bits.nth(set, n++), i, "nth");
        }
        if (set != 0) vm.assertEq(Bits.nth(set, 0), Bits.lowest(set), "lowest");
    }

    function testFuzz_every_second_bit(uint256 x) public pure {
        uint64 expected;
        for (uint256 p; p < 64; ++p) {
            if ((x >> (2 * p)) & 1 == 1) expected |= uint64(1 << p);
        }
        vm.assertEq(Bits.everySecond(x), expected, "every second");
    }

    function testFuzz_nibbles_go_there_and_back(uint64 set) public pure {
        uint256 expected;
        for (uint256 p; p < 64; ++p) {
            if (Bits.has(set, p)) expected |= 1 << (4 * p);
        }
        vm.assertEq(Bits.toNibbles(set), expected, "there");
        vm.assertEq(Bits.fromNibbles(expected), set, "and back");
    }

    function testFuzz_nibbles_that_reach_a_bar(uint256 x, uint256 bar) public pure {
        bar = bound(bar, 1, 15);
        uint64 expected;
        for (uint256 p; p < 64; ++p) {
            if ((x >> (4 * p)) & 15 >= bar) expected |= uint64(1 << p);
        }
        vm.assertEq(Bits.nibblesAtLeast(x, bar), expected, "at least");
    }
}
