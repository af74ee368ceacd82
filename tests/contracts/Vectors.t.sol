// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {Bits} from "../../contracts/libraries/Bits.sol";
import {Draw} from "../../contracts/libraries/Draw.sol";
import {IndexTree} from "../../contracts/libraries/IndexTree.sol";
import {Payout} from "../../contracts/libraries/Payout.sol";
import {Secrets} from "../../contracts/libraries/Secrets.sol";
import {Money, Role} from "../../contracts/libraries/Types.sol";
import {Test} from "./Test.sol";

/// What tests/vectors/rules.json adds to the tables of draws, trees and payouts, which have tests of their own.
contract VectorsTest is Test {
    string private json;

    function setUp() public {
        json = vm.readFile("tests/vectors/rules.json");
    }

    function ints(string memory name) private view returns (uint256[] memory) {
        return vm.parseJsonUintArray(json, string.concat(".", name));
    }

    function words(string memory name) private view returns (bytes32[] memory) {
        return vm.parseJsonBytes32Array(json, string.concat(".", name));
    }

    // --- IndexTree ---

    function test_spoilt_proofs_hold_where_they_do_in_python() public view {
        bytes32[] memory roots = words("proof_root");
        bytes[] memory leaves = vm.parseJsonBytesArray(json, ".proof_leaf");
        uint256[] memory indices = ints("proof_index");
        uint256[] memory counts = ints("proof_count");
        uint256[] memory starts = ints("proof_offset");
        bytes32[] memory nodes = words("proof_nodes");
        bool[] memory holds = vm.parseJsonBoolArray(json, ".proof_holds");
        for (uint256 i; i < roots.length; ++i) {
            bytes32[] memory path = new bytes32[](starts[i + 1] - starts[i]);
            for (uint256 j; j < path.length; ++j) {
                path[j] = nodes[starts[i] + j];
            }
            bool held = IndexTree.verify(roots[i], leaves[i], indices[i], counts[i], path);
            vm.assertTrue(held == holds[i], "proof");
        }
    }

    // --- Draw ---

    function sources(string memory table) private view returns (Draw.Source[] memory all) {
        uint256[] memory tasks = ints(string.concat(table, "_task"));
        bytes32[] memory beacons = words(string.concat(table, "_beacon"));
        bytes32[] memory secrets = words(string.concat(table, "_secret"));
        uint256[] memory kinds = ints(string.concat(table, "_kind"));
        all = new Draw.Source[](tasks.length);
        for (uint256 i; i < all.length; ++i) {
            all[i] = Draw.seated(tasks[i], 0, beacons[i], secrets[i], 0, 0, kinds[i]);
        }
        uint256[] memory rounds = ints(string.concat(table, "_round"));
        uint256[] memory seats = ints(string.concat(table, "_seat"));
        uint256[] memory slots = ints(string.concat(table, "_slot"));
        for (uint256 i; i < all.length; ++i) {
            (all[i].round, all[i].seat, all[i].slot) = (rounds[i], seats[i], slots[i]);
        }
    }

    function test_wide_numbers_are_those_of_python() public view {
        Draw.Source[] memory all = sources("wide");
        uint256[] memory bounds = ints("wide_n");
        uint256[] memory expected = ints("wide_value");
        for (uint256 i; i < all.length; ++i) {
            vm.assertEq(Draw.below(all[i], bounds[i]), expected[i], "below");
        }
    }

    function test_committees_of_any_size_out_of_any_set_are_those_of_python() public view {
        Draw.Source[] memory all = sources("set");
        uint256[] memory sets = ints("set_of");
        uint256[] memory sizes = ints("set_k");
        uint256[] memory expected = ints("set_members");
        for (uint256 i; i < all.length; ++i) {
            vm.assertEq(Draw.sampleSet(all[i], sets[i], Bits.count(sets[i]), sizes[i]), expected[i], "committee");
        }
    }

    // --- Secrets ---

    function test_secrets_follow_where_they_do_in_python() public view {
        bytes32[] memory secrets = words("secret");
        uint256[] memory indices = ints("secret_index");
        bytes32[] memory last = words("secret_last");
        uint256[] memory opened = ints("secret_opened");
        bool[] memory follows = vm.parseJsonBoolArray(json, ".secret_follows");
        for (uint256 i; i < secrets.length; ++i) {
            vm.assertTrue(Secrets.follows(secrets[i], indices[i], last[i], opened[i]) == follows[i], "secret");
        }
    }

    // --- Bits ---

    function test_counts_and_fields_are_those_of_python() public view {
        uint256[] memory all = ints("bits_word");
        uint256[] memory counts = ints("bits_count");
        uint256[] memory seconds_ = ints("bits_every_second");
        uint256[] memory spread = ints("bits_to_nibbles");
        uint256[] memory gathered = ints("bits_from_nibbles");
        for (uint256 i; i < all.length; ++i) {
            vm.assertEq(Bits.count(all[i]), counts[i], "count");
            vm.assertEq(Bits.everySecond(all[i]), seconds_[i], "every second");
            vm.assertEq(Bits.toNibbles(uint64(all[i])), spread[i], "to nibbles");
            vm.assertEq(Bits.fromNibbles(all[i]), gathered[i], "from nibbles");
        }
    }

    function test_positions_are_those_of_python() public view {
        uint256[] memory all = ints("nth_word");
        uint256[] memory ranks = ints("nth_rank");
        uint256[] memory expected = ints("nth_position");
        for (uint256 i; i < all.length; ++i) {
            vm.assertEq(Bits.nth(all[i], ranks[i]), expected[i], "nth");
            vm.assertTrue(Bits.has(all[i], expected[i]), "has");
            if (ranks[i] == 0) vm.assertEq(Bits.lowest(all[i]), expected[i], "lowest");
        }
    }

    function test_fields_that_reach_a_bar_are_those_of_python() public view {
        uint256[] memory all = ints("bar_word");
        uint256[] memory bars = ints("bar");
        uint256[] memory expected = ints("bar_reached");
        for (uint256 i; i < all.length; ++i) {
            vm.assertEq(Bits.nibblesAtLeast(all[i], bars[i]), expected[i], "at least");
        }
    }

    // --- Accounts ---

    function test_names_of_accounts_are_those_of_python() public view {
        vm.assertEq(Accounts.BURNED, words("account_burned")[0], "burned");
        uint256[] memory owners = ints("account_owner");
        bytes32[] memory expected = words("account_free");
        for (uint256 i; i < owners.length; ++i) {
            vm.assertEq(Accounts.free(address(uint160(owners[i]))), expected[i], "free");
        }
        uint256[] memory tasks = ints("account_task");
        expected = words("account_escrow");
        bytes32[] memory bonds = words("account_bond");
        bytes32[] memory claims = words("account_claims");
        for (uint256 i; i < tasks.length; ++i) {
            vm.assertEq(Accounts.escrow(tasks[i]), expected[i], "escrow");
            vm.assertEq(Accounts.bond(tasks[i]), bonds[i], "bond");
            vm.assertEq(Accounts.claims(tasks[i]), claims[i], "claims");
        }
    }

    function test_names_of_pots_and_stakes_are_those_of_python() public view {
        uint256[] memory tasks = ints("pot_task");
        uint256[] memory rounds = ints("pot_round");
        bytes32[] memory pots = words("account_pot");
        bytes32[] memory dockets = words("account_docket");
        for (uint256 i; i < tasks.length; ++i) {
            vm.assertEq(Accounts.pot(tasks[i], uint32(rounds[i])), pots[i], "pot");
            vm.assertEq(Accounts.docketPot(tasks[i], uint32(rounds[i]), 1), dockets[2 * i], "docket 1");
            vm.assertEq(Accounts.docketPot(tasks[i], uint32(rounds[i]), 2), dockets[2 * i + 1], "docket 2");
        }
        tasks = ints("stake_task");
        uint256[] memory roles = ints("stake_role");
        uint256[] memory positions = ints("stake_position");
        bytes32[] memory stakes = words("account_stake");
        for (uint256 i; i < tasks.length; ++i) {
            vm.assertEq(Accounts.stake(tasks[i], Role(roles[i]), uint8(positions[i])), stakes[i], "stake");
        }
    }

    // --- Payout ---

    function test_fines_are_those_of_python() public view {
        uint256[] memory stakes = ints("fine_stake");
        uint256[] memory amounts = ints("fine_amount");
        uint256[] memory expected = ints("fine_taken");
        for (uint256 i; i < stakes.length; ++i) {
            vm.assertEq(Payout.fine(stakes[i], amounts[i]), expected[i], "fine");
        }
    }

    function test_reserves_and_bonds_are_those_of_python() public view {
        uint256[] memory sizes = ints("sum_sizes");
        uint256[] memory fees = ints("sum_fees");
        uint256[] memory reserves = ints("sum_reserve");
        uint256[] memory bonds = ints("sum_bond");
        for (uint256 i; i < reserves.length; ++i) {
            Money memory m;
            (m.price, m.checkFee, m.attestFee) =
            (uint128(fees[6 * i]), uint128(fees[6 * i + 1]), uint128(fees[6 * i + 2]));
            (m.jurorFee, m.tip, m.challengeBond) =
            (uint128(fees[6 * i + 3]), uint128(fees[6 * i + 4]), uint128(fees[6 * i + 5]));
            (uint256 trainers, uint256 verifiers) = (sizes[3 * i], sizes[3 * i + 1]);
            vm.assertEq(Payout.reserve(m, trainers, verifiers, sizes[3 * i + 2]), reserves[i], "reserve");
            vm.assertEq(Payout.bond(m.challengeBond, m.jurorFee, verifiers), bonds[i], "bond");
        }
    }
}
