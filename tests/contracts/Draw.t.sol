// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Draw} from "../../contracts/libraries/Draw.sol";
import {Test} from "./Test.sol";

/// The draws of tests/vectors/draws.json, which Python made.
contract DrawTest is Test {
    string private json;

    function setUp() public {
        json = vm.readFile("tests/vectors/draws.json");
    }

    function ints(string memory name) private view returns (uint256[] memory) {
        return vm.parseJsonUintArray(json, string.concat(".", name));
    }

    function words(string memory name) private view returns (bytes32[] memory) {
        return vm.parseJsonBytes32Array(json, string.concat(".", name));
    }

    /// The sources of a table, in the order in which its columns list them.
    function sources(string memory table) private view returns (Draw.Source[] memory all) {
        uint256[] memory numbers = ints(string.concat(table, "_task"));
        bytes32[] memory hashes = words(string.concat(table, "_beacon"));
        bytes32[] memory secrets = words(string.concat(table, "_secret"));
        all = new Draw.Source[](numbers.length);
        for (uint256 i; i < all.length; ++i) {
            all[i] = Draw.seated(numbers[i], 0, hashes[i], secrets[i], 0, 0, 0);
        }
        numbers = ints(string.concat(table, "_round"));
        for (uint256 i; i < all.length; ++i) {
            all[i].round = numbers[i];
        }
        _seats(table, all);
    }

    function _seats(string memory table, Draw.Source[] memory all) private view {
        uint256[] memory seats = ints(string.concat(table, "_seat"));
        uint256[] memory slots = ints(string.concat(table, "_slot"));
        uint256[] memory kinds = ints(string.concat(table, "_kind"));
        for (uint256 i; i < all.length; ++i) {
            (all[i].seat, all[i].slot, all[i].kind) = (seats[i], slots[i], kinds[i]);
        }
    }

    function test_words_are_those_of_python() public view {
        Draw.Source[] memory all = sources("word");
        uint256[] memory steps = ints("word_i");
        bytes32[] memory expected = words("word_value");
        for (uint256 i; i < all.length; ++i) {
            vm.assertEq(bytes32(Draw.word(all[i], steps[i])), expected[i], "word");
        }
    }

    function test_numbers_below_a_bound_are_those_of_python() public view {
        Draw.Source[] memory all = sources("below");
        uint256[] memory bounds = ints("below_n");
        uint256[] memory expected = ints("below_value");
        for (uint256 i; i < all.length; ++i) {
            vm.assertEq(Draw.below(all[i], bounds[i]), expected[i], "below");
        }
    }

    function test_samples_are_those_of_python() public view {
        Draw.Source[] memory all = sources("sample");
        uint256[] memory n = ints("sample_n");
        uint256[] memory k = ints("sample_k");
        uint256[] memory starts = ints("sample_offset");
        uint256[] memory expected = ints("sample_values");
        for (uint256 i; i < all.length; ++i) {
            uint256[] memory drawn = Draw.sample(all[i], n[i], k[i]);
            vm.assertEq(drawn.length, starts[i + 1] - starts[i], "size of the sample");
            for (uint256 j; j < drawn.length; ++j) {
                vm.assertEq(drawn[j], expected[starts[i] + j], "sample");
            }
        }
    }

    function test_committees_are_those_of_python() public view {
        uint256[] memory numbers = ints("committee_task");
        uint256[] memory shards = ints("committee_shard");
        uint256[] memory kinds = ints("committee_kind");
        uint256[] memory sizes = ints("committee_size");
        uint256[] memory active = ints("committee_active");
        uint256[] memory counts = ints("committee_count");
        uint256[] memory expected = ints("committee_members");
        bytes32[] memory hashes = words("committee_beacon");
        for (uint256 i; i < numbers.length; ++i) {
            Draw.Source memory source = Draw.seated(numbers[i], 2 * i, hashes[i], 0, 0, shards[i], kinds[i]);
            vm.assertEq(Draw.sampleSet(source, active[i], counts[i], sizes[i]), expected[i], "committee");
        }
    }

    function test_a_committee_of_shard_0_is_drawn_without_seat_or_secret() public pure {
        Draw.Source memory a = Draw.committee(3, 4, bytes32(uint256(5)), Draw.CHECK);
        Draw.Source memory b = Draw.seated(3, 4, bytes32(uint256(5)), 0, 0, 0, Draw.CHECK);
        vm.assertEq(Draw.word(a, 6), Draw.word(b, 6), "committee");
    }

    function test_audits_are_those_of_python() public view {
        uint256[] memory rates = ints("audit_rate");
        uint256[] memory seats = ints("audit_seat");
        uint256[] memory passes = ints("audit_passes");
        uint256[] memory perPass = ints("audit_per_pass");
        uint256[] memory picks = ints("audit_pick");
        bytes32[] memory hashes = words("audit_beacon");
        bool[] memory hits = vm.parseJsonBoolArray(json, ".audit_hit");
        for (uint256 i; i < rates.length; ++i) {
            Draw.Source memory source = Draw.seated(i, i + 1, hashes[i], 0, seats[i], 0, Draw.AUDIT);
            vm.assertTrue((uint32(Draw.word(source, 0)) < rates[i]) == hits[i], "audited");
            source.kind = Draw.SAMPLE;
            vm.assertEq(Draw.below(source, passes[i] * perPass[i]), picks[i], "pick");
        }
    }

    function test_each_link_of_a_secret_chain_hashes_to_the_one_before() public view {
        bytes32[] memory links = words("chain_links");
        for (uint256 i = 1; i < links.length; ++i) {
            vm.assertEq(keccak256(abi.encode(links[i])), links[i - 1], "chain");
        }
    }
}
