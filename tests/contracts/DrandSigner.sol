// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BN254} from "../../contracts/libraries/BN254.sol";
import {Test} from "./Test.sol";

/// A drand network whose key the tests hold (tests/vectors/drand.json).
abstract contract DrandSigner is Test {
    string internal json = vm.readFile("tests/vectors/drand.json");
    uint256 internal secretKey = vm.parseJsonUintArray(json, ".signed_secret")[0];
    uint256[4] internal key = words(bytesOf(".signed_key"));
    uint256[4] internal evmnetKey = words(bytesOf(".evmnet_key"));

    function bytesOf(string memory column) internal view returns (bytes memory) {
        return vm.parseJsonBytesArray(json, column)[0];
    }

    function words(bytes memory encoded) internal pure returns (uint256[4] memory) {
        return abi.decode(encoded, (uint256[4]));
    }

    function sign(uint64 round) internal view returns (bytes memory) {
        bytes memory message = abi.encodePacked(keccak256(abi.encodePacked(round)));
        uint256[2] memory point = BN254.hashToG1("BLS_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_NUL_", message);
        return abi.encode(times(point, secretKey));
    }

    function times(uint256[2] memory point, uint256 scalar) internal view returns (uint256[2] memory product) {
        (bool fine, bytes memory answer) = address(7).staticcall(abi.encode(point, scalar));
        require(fine, "ecMul");
        return abi.decode(answer, (uint256[2]));
    }
}
