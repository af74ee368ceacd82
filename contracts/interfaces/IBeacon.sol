// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A source of public randomness whose targets are fixed before anybody can know their values.
/// @dev A target that is ready stays so, or expires; one that has expired is never ready again.
interface IBeacon {
    /// @notice The first target whose value nobody can know in this block.
    /// @dev Where targets are blocks it is counted from `height`, which may lie behind this block, as a late call must not
    /// move a target, or ahead of it. Where they follow a clock it is counted from the time of this block.
    function targetAfter(uint64 height) external view returns (uint64 target);

    /// @notice Whether the value of `target` can be read in this block.
    function ready(uint64 target) external view returns (bool);

    /// @notice Whether the value of `target` can never be read again.
    function expired(uint64 target) external view returns (bool);

    /// @notice The value of `target`, and the block with which it became public: windows that wait for it count from there.
    /// @dev Reverts with `Beacon_NotReady(target)` or `Beacon_Expired(target)`.
    function value(uint64 target) external view returns (bytes32 randomness, uint64 since);

    error Beacon_NotReady(uint64 target);
    error Beacon_Expired(uint64 target);
}
