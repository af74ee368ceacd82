// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBeacon} from "./IBeacon.sol";

/// @title A drand network as a beacon: targets are its rounds, values what it publishes as their `randomness`.
/// @notice The scheme is `bls-bn254-unchained-on-g1`. Anybody posts the signature of a round, which is verified once.
interface IDrandBeacon is IBeacon {
    event Posted(uint64 indexed round, bytes32 randomness, address by);

    /// @notice The network's chain hash: it names the network in drand's HTTP API, and binds key, genesis and period.
    function CHAIN_HASH() external view returns (bytes32);

    /// @notice Posts the signature of `round`: 64 bytes, x before y, as drand serves it.
    /// @dev Reverts with `DrandBeacon_AlreadyPosted`, `Beacon_Expired` and as `check` does.
    function post(uint64 round, bytes calldata signature) external;

    /// @notice The randomness of `round` if `signature` is that of the network, whether or not it has been posted.
    /// @dev Reverts with `DrandBeacon_BadLength`, `DrandBeacon_NotCanonical`, `DrandBeacon_Infinity`,
    /// `DrandBeacon_NotOnCurve` or `DrandBeacon_BadSignature`.
    function check(uint64 round, bytes calldata signature) external view returns (bytes32 randomness);

    /// @notice When the network publishes `round`, in seconds of Unix time.
    function timeOf(uint64 round) external view returns (uint256);

    error DrandBeacon_AlreadyPosted(uint64 round);
    error DrandBeacon_BadLength(uint256 length);
    error DrandBeacon_NotCanonical(uint256 coordinate);
    error DrandBeacon_Infinity();
    error DrandBeacon_NotOnCurve();
    error DrandBeacon_BadSignature(uint64 round);
    error DrandBeacon_BadNetwork(string field);
}
