// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBeacon} from "./interfaces/IBeacon.sol";

/// @title Block hashes as a beacon: for devnets and small stakes, since a block's proposer may withhold it.
/// @dev Readable for 250 of the 256 blocks that BLOCKHASH knows.
contract BlockhashBeacon is IBeacon {
    uint64 private constant READABLE = 250;

    /// @inheritdoc IBeacon
    function targetAfter(uint64 height) external pure returns (uint64 target) {
        return height + 1;
    }

    /// @inheritdoc IBeacon
    function value(uint64 target) external view returns (bytes32 randomness, uint64 since) {
        require(!expired(target), Beacon_Expired(target));
        require(ready(target), Beacon_NotReady(target));
        return (blockhash(target), target);
    }

    /// @inheritdoc IBeacon
    function ready(uint64 target) public view returns (bool) {
        return block.number > target && !expired(target);
    }

    /// @inheritdoc IBeacon
    function expired(uint64 target) public view returns (bool) {
        return block.number > uint256(target) + READABLE;
    }
}
