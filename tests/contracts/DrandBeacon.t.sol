// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DrandBeacon} from "../../contracts/DrandBeacon.sol";
import {IBeacon} from "../../contracts/interfaces/IBeacon.sol";
import {IDrandBeacon} from "../../contracts/interfaces/IDrandBeacon.sol";
import {BN254} from "../../contracts/libraries/BN254.sol";
import {DrandSigner} from "./DrandSigner.sol";

contract DrandBeaconTest is DrandSigner {
    uint64 private constant GENESIS = 1_727_521_075;
    uint32 private constant PERIOD = 3;
    bytes32 private constant EVMNET_HASH = 0x04f1e9062b8a81f848fded9c12306733282b2727ecced50032187751166ec8c3;
    bytes32 private constant EVMNET_GROUP = 0xcd7ad2f0e0cce5d8c288f2dd016ffe7bc8dc88dbb229b3da2b6ad736490dfed6;
    uint64 private constant ROUND = 9_000;

    DrandBeacon private beacon;

    function setUp() public {
        beacon = new DrandBeacon(key, GENESIS, PERIOD, 0, "tests");
        vm.warp(beacon.timeOf(ROUND) + 1);
        vm.roll(700);
    }

    function refuses(bytes memory signature, bytes memory reason) private {
        vm.expectRevert(reason);
        beacon.check(ROUND, signature);
        vm.expectRevert(reason);
        beacon.post(ROUND, signature);
        vm.assertTrue(!beacon.ready(ROUND), "nothing posted");
    }

    function alter(bytes memory signature, uint256 word, uint256 by) private pure returns (bytes memory) {
        uint256[2] memory point = abi.decode(signature, (uint256[2]));
        unchecked {
            point[word] += by;
        }
        return abi.encode(point);
    }

    // --- networks ---

    function test_evmnets_parameters_hash_to_its_chain_hash() public {
        vm.assertEq(evmnet().CHAIN_HASH(), EVMNET_HASH, "chain hash");
    }

    function test_beacons_that_evmnet_published_are_accepted_with_its_randomness() public {
        DrandBeacon real = evmnet();
        uint256[] memory numbers = vm.parseJsonUintArray(json, ".evmnet_round");
        bytes[] memory signatures = vm.parseJsonBytesArray(json, ".evmnet_signature");
        bytes32[] memory randomness = vm.parseJsonBytes32Array(json, ".evmnet_randomness");
        for (uint256 i; i < numbers.length; ++i) {
            uint64 round = uint64(numbers[i]);
            vm.warp(real.timeOf(round) + 2);
            real.post(round, signatures[i]);
            (bytes32 found,) = real.value(round);
            vm.assertEq(found, randomness[i], "randomness");
        }
    }

    function test_signatures_of_py_ecc_are_accepted_for_rounds_of_any_size() public view {
        uint256[] memory numbers = vm.parseJsonUintArray(json, ".signed_round");
        bytes[] memory signatures = vm.parseJsonBytesArray(json, ".signed_signature");
        for (uint256 i; i < numbers.length; ++i) {
            beacon.check(uint64(numbers[i]), signatures[i]);
        }
    }

    function test_networks_that_cannot_be_are_refused() public {
        uint256[4] memory none;
        bytes4 bad = IDrandBeacon.DrandBeacon_BadNetwork.selector;
        vm.expectRevert(abi.encodeWithSelector(bad, "key"));
        new DrandBeacon(none, GENESIS, PERIOD, 0, "");
        vm.expectRevert(abi.encodeWithSelector(bad, "period"));
        new DrandBeacon(key, GENESIS, 0, 0, "");
        vm.expectRevert(abi.encodeWithSelector(bad, "genesis"));
        new DrandBeacon(key, PERIOD - 1, PERIOD, 0, "");
    }

    // --- posting ---

    function test_a_posted_round_is_ready_with_its_randomness_and_block() public {
        bytes memory signature = sign(ROUND);
        vm.assertEq(beacon.check(ROUND, signature), sha256(signature), "checked before it is posted");
        vm.assertTrue(!beacon.ready(ROUND), "not yet");
        vm.expectEmit();
        emit IDrandBeacon.Posted(ROUND, sha256(signature), address(this));
        beacon.post(ROUND, signature);
        vm.roll(900);
        (bytes32 randomness, uint64 since) = beacon.value(ROUND);
        vm.assertTrue(beacon.ready(ROUND), "ready");
        vm.assertEq(randomness, sha256(signature), "randomness");
        vm.assertEq(since, 700, "since");
    }

    function test_a_round_that_nobody_posted_has_no_value() public {
        vm.assertTrue(!beacon.ready(ROUND) && !beacon.expired(ROUND), "neither");
        vm.expectRevert(abi.encodeWithSelector(IBeacon.Beacon_NotReady.selector, ROUND));
        beacon.value(ROUND);
    }

    function test_a_round_is_posted_once() public {
        bytes memory signature = sign(ROUND);
        beacon.post(ROUND, signature);
        vm.expectRevert(abi.encodeWithSelector(IDrandBeacon.DrandBeacon_AlreadyPosted.selector, ROUND));
        beacon.post(ROUND, signature);
    }

    function test_signatures_that_are_not_64_bytes_are_refused() public {
        bytes memory good = sign(ROUND);
        bytes4 bad = IDrandBeacon.DrandBeacon_BadLength.selector;
        refuses("", abi.encodeWithSelector(bad, 0));
        refuses(abi.encodePacked(good, uint8(0)), abi.encodeWithSelector(bad, 65));
        refuses(abi.encodePacked(good, good), abi.encodeWithSelector(bad, 128));
        assembly ("memory-safe") {
            mstore(good, 63)
        }
        refuses(good, abi.encodeWithSelector(bad, 63));
    }

    function test_other_encodings_of_the_same_point_are_refused() public {
        bytes4 bad = IDrandBeacon.DrandBeacon_NotCanonical.selector;
        for (uint256 word; word < 2; ++word) {
            bytes memory other = alter(sign(ROUND), word, BN254.P);
            refuses(other, abi.encodeWithSelector(bad, abi.decode(other, (uint256[2]))[word]));
        }
        refuses(abi.encode(BN254.P, 0), abi.encodeWithSelector(bad, BN254.P));
    }

    function test_the_point_at_infinity_is_refused() public {
        refuses(abi.encode(0, 0), abi.encodeWithSelector(IDrandBeacon.DrandBeacon_Infinity.selector));
    }

    function test_points_off_the_curve_are_refused() public {
        bytes memory reason = abi.encodeWithSelector(IDrandBeacon.DrandBeacon_NotOnCurve.selector);
        refuses(abi.encode(1, 1), reason);
        refuses(abi.encode(0, 1), reason);
        refuses(abi.encode(1, 0), reason);
    }

    function test_signatures_of_another_round_network_or_sign_are_refused() public {
        bytes memory reason = abi.encodeWithSelector(IDrandBeacon.DrandBeacon_BadSignature.selector, ROUND);
        bytes memory good = sign(ROUND);
        uint256[2] memory point = abi.decode(good, (uint256[2]));
        refuses(sign(ROUND + 1), reason);
        refuses(sign(ROUND - 1), reason);
        refuses(vm.parseJsonBytesArray(json, ".evmnet_signature")[0], reason);
        refuses(abi.encode(point[0], BN254.P - point[1]), reason);
        refuses(abi.encode(times(point, 2)), reason);
        refuses(abi.encode(1, 2), reason);
    }

    function test_no_point_but_the_signature_is_accepted(uint256 scalar) public {
        uint256[2] memory signature = abi.decode(sign(ROUND), (uint256[2]));
        uint256[2] memory other = times([uint256(1), 2], scalar);
        vm.assume(other[0] != 0 && other[0] != signature[0]);
        refuses(abi.encode(other), abi.encodeWithSelector(IDrandBeacon.DrandBeacon_BadSignature.selector, ROUND));
    }

    function test_no_bytes_but_the_signature_are_accepted(uint256 x, uint256 y) public {
        vm.expectRevert();
        beacon.post(ROUND, abi.encode(x, y));
    }

    function test_any_round_takes_its_own_signature(uint64 round) public {
        round = uint64(bound(round, 1, type(uint64).max));
        vm.warp(beacon.timeOf(round));
        beacon.post(round, sign(round));
        vm.assertTrue(beacon.ready(round), "ready");
    }

    // --- time ---

    function test_a_round_that_is_not_posted_in_time_expires_for_good() public {
        uint256 last = beacon.timeOf(ROUND) + beacon.PATIENCE();
        bytes memory signature = sign(ROUND);
        vm.warp(last);
        vm.assertTrue(!beacon.expired(ROUND), "still in time");
        vm.warp(last + 1);
        vm.assertTrue(beacon.expired(ROUND), "expired");
        bytes memory reason = abi.encodeWithSelector(IBeacon.Beacon_Expired.selector, ROUND);
        vm.expectRevert(reason);
        beacon.post(ROUND, signature);
        vm.expectRevert(reason);
        beacon.value(ROUND);
    }

    function test_a_posted_value_is_never_lost() public {
        vm.warp(beacon.timeOf(ROUND) + beacon.PATIENCE());
        beacon.post(ROUND, sign(ROUND));
        vm.warp(block.timestamp + 3650 days);
        vm.assertTrue(beacon.ready(ROUND) && !beacon.expired(ROUND), "ready");
    }

    function test_there_is_no_round_0() public {
        bytes memory signature = sign(0);
        vm.assertTrue(beacon.expired(0), "expired");
        vm.expectRevert(abi.encodeWithSelector(IBeacon.Beacon_Expired.selector, 0));
        beacon.post(0, signature);
    }

    function test_times_are_those_of_drand() public view {
        vm.assertEq(beacon.timeOf(1), GENESIS, "round 1 at genesis");
        vm.assertEq(beacon.timeOf(2), GENESIS + PERIOD, "and one each period");
    }

    function test_a_target_is_the_first_round_that_nobody_can_know(uint32 period, uint64 genesis, uint64 time) public {
        period = uint32(bound(period, 1, 1 days));
        genesis = uint64(bound(genesis, period, 1 << 40));
        vm.warp(bound(time, 1, 1 << 41));
        DrandBeacon other = new DrandBeacon(key, genesis, period, 0, "");
        uint64 target = other.targetAfter(uint64(block.number));
        uint256 known = block.timestamp + other.MARGIN();
        vm.assertTrue(other.timeOf(target) > known, "after the margin");
        vm.assertTrue(target == 1 || other.timeOf(target - 1) <= known, "and the first such");
        vm.assertTrue(!other.expired(target), "can still come");
    }

    function test_a_clock_that_is_15_seconds_late_names_no_published_round(uint256 late, uint32 time) public {
        vm.warp(uint256(GENESIS) + time);
        uint64 target = beacon.targetAfter(uint64(block.number));
        uint256 now_ = block.timestamp + bound(late, 0, 15);
        vm.assertTrue(beacon.timeOf(target) > now_ + 12, "nor one that comes before the block is made");
    }

    function test_a_target_follows_the_clock_and_not_the_height(uint64 height) public view {
        vm.assertEq(beacon.targetAfter(height), beacon.targetAfter(uint64(block.number)), "target");
    }

    function evmnet() private returns (DrandBeacon) {
        return new DrandBeacon(evmnetKey, GENESIS, PERIOD, EVMNET_GROUP, "evmnet");
    }
}
