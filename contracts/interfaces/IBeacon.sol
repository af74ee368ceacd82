// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A source of public randomness that is fixed in advance and can be read for a limited time.
interface IBeacon {
    /// @notice The target whose value is the first one nobody can know at block `height`.
    function targetAfter(uint64 height) external view returns (uint64 target);

    /// @notice Whether the value of `target` can be read in this block.
    function ready(uint64 target) external view returns (bool);

    /// @notice Whether the value of `target` can never be read again.
    function expired(uint64 target) external view returns (bool);

    /// @notice The value of `target`.
    /// @dev Reverts with `Beacon_NotReady(target)` or `Beacon_Expired(target)`.
    function value(uint64 target) external view returns (bytes32);

    error Beacon_NotReady(uint64 target);
    error Beacon_Expired(uint64 target);
}
