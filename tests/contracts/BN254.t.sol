// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BN254} from "../../contracts/libraries/BN254.sol";
import {DrandSigner} from "./DrandSigner.sol";

/// Against published values and those of py_ecc, in tests/vectors/drand.json.
contract BN254Test is DrandSigner {
    string private constant DOMAIN = "BLS_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_NUL_";

    function test_the_map_is_that_of_rfc_9380() public view {
        uint256[] memory us = vm.parseJsonUintArray(json, ".map_u");
        uint256[] memory xs = vm.parseJsonUintArray(json, ".map_x");
        uint256[] memory ys = vm.parseJsonUintArray(json, ".map_y");
        for (uint256 i; i < us.length; ++i) {
            (uint256 x, uint256 y) = BN254.mapToG1(us[i]);
            vm.assertEq(x, xs[i], "x");
            vm.assertEq(y, ys[i], "y");
        }
    }

    function test_messages_of_any_length_hash_to_the_published_points() public view {
        bytes[] memory domains = vm.parseJsonBytesArray(json, ".hash_domain");
        bytes[] memory messages = vm.parseJsonBytesArray(json, ".hash_message");
        bytes[] memory points = vm.parseJsonBytesArray(json, ".hash_point");
        for (uint256 i; i < messages.length; ++i) {
            uint256[2] memory point = BN254.hashToG1(string(domains[i]), messages[i]);
            vm.assertEq(keccak256(abi.encode(point)), keccak256(points[i]), "point");
        }
    }

    function test_every_element_maps_to_a_point_of_its_own_parity(uint256 u) public view {
        u %= BN254.P;
        isMapped(u);
    }

    function test_elements_without_an_inverse_on_their_way_map_too() public view {
        isMapped(0);
        isMapped((BN254.P + 1) / 2); // 1 - 4 u^2 = 0
        isMapped((BN254.P - 1) / 2);
        isMapped(BN254.P - 1);
    }

    function isMapped(uint256 u) private view {
        (uint256 x, uint256 y) = BN254.mapToG1(u);
        vm.assertTrue(x < BN254.P && y < BN254.P && BN254.onCurve(x, y), "on the curve");
        vm.assertEq(y & 1, u & 1, "parity");
    }

    function test_a_signature_holds_for_its_message_and_key_alone(bytes calldata message, bytes calldata other)
        public
        view
    {
        vm.assume(keccak256(message) != keccak256(other));
        uint256[2] memory point = BN254.hashToG1(DOMAIN, message);
        uint256[2] memory signature = times(point, secretKey);
        vm.assertTrue(BN254.verify(signature, key, point), "its own");
        vm.assertTrue(!BN254.verify(signature, key, BN254.hashToG1(DOMAIN, other)), "another message");
        vm.assertTrue(!BN254.verify(signature, evmnetKey, point), "another key");
        vm.assertTrue(!BN254.verify(times(point, secretKey + 1), key, point), "another secret");
        signature[1] = BN254.P - signature[1];
        vm.assertTrue(!BN254.verify(signature, key, point), "negated");
    }

    function test_keys_are_points_of_the_group_and_nothing_else() public view {
        vm.assertTrue(BN254.isKey(key), "of the tests");
        vm.assertTrue(BN254.isKey(evmnetKey), "of evmnet");
        uint256[4] memory none;
        vm.assertTrue(!BN254.isKey(none), "infinity");
        vm.assertTrue(!BN254.isKey(words(bytesOf(".stray_key"))), "on the curve, outside the group");
        vm.assertTrue(!BN254.isKey([key[1], key[0], key[3], key[2]]), "real parts first");
        vm.assertTrue(!BN254.isKey([key[0] + BN254.P, key[1], key[2], key[3]]), "not canonical");
        vm.assertTrue(!BN254.isKey([key[0], key[1], key[2], key[3] ^ 1]), "off the curve");
    }
}
