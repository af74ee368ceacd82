// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBeacon} from "./interfaces/IBeacon.sol";
import {IDrandBeacon} from "./interfaces/IDrandBeacon.sol";
import {BN254} from "./libraries/BN254.sol";

/// @title DrandBeacon: see IDrandBeacon.
contract DrandBeacon is IDrandBeacon {
    /// Seconds between a block and the round that it fixes: 15 by which the block's clock may be late, and 12 in which
    /// its proposer may still choose what it holds, with some to spare.
    uint256 public constant MARGIN = 30;
    /// Seconds after its time in which a round can be posted. A network that is silent for longer voids what waits for it.
    uint256 public constant PATIENCE = 1 hours;
    string public constant DOMAIN = "BLS_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_NUL_";

    /// @inheritdoc IDrandBeacon
    bytes32 public immutable CHAIN_HASH;
    uint64 public immutable GENESIS; // Unix time of round 1
    uint32 public immutable PERIOD; // seconds

    // The network's key on G2, in the order of EIP-197, which is drand's too.
    uint256 private immutable _KEY_X_IM;
    uint256 private immutable _KEY_X_RE;
    uint256 private immutable _KEY_Y_IM;
    uint256 private immutable _KEY_Y_RE;

    struct Entry {
        bytes32 randomness;
        uint64 postedIn; // block
    }

    mapping(uint64 round => Entry) private _entries;

    /// @param groupHash What the network publishes as `groupHash`, and @param id as `beaconID`.
    constructor(uint256[4] memory key, uint64 genesis, uint32 period, bytes32 groupHash, string memory id) {
        require(BN254.isKey(key), DrandBeacon_BadNetwork("key"));
        require(period > 0, DrandBeacon_BadNetwork("period"));
        require(genesis >= period, DrandBeacon_BadNetwork("genesis"));
        (_KEY_X_IM, _KEY_X_RE, _KEY_Y_IM, _KEY_Y_RE) = (key[0], key[1], key[2], key[3]);
        (GENESIS, PERIOD) = (genesis, period);
        CHAIN_HASH = sha256(abi.encodePacked(period, genesis, key, groupHash, id));
    }

    /// @inheritdoc IDrandBeacon
    function post(uint64 round, bytes calldata signature) external {
        Entry storage entry = _entries[round];
        require(entry.randomness == 0, DrandBeacon_AlreadyPosted(round));
        require(!_isOver(round), Beacon_Expired(round));
        bytes32 randomness = check(round, signature);
        (entry.randomness, entry.postedIn) = (randomness, uint64(block.number));
        emit Posted(round, randomness, msg.sender);
    }

    /// @inheritdoc IDrandBeacon
    function check(uint64 round, bytes calldata signature) public view returns (bytes32 randomness) {
        require(signature.length == 64, DrandBeacon_BadLength(signature.length));
        (uint256 x, uint256 y) = abi.decode(signature, (uint256, uint256));
        require(x < BN254.P, DrandBeacon_NotCanonical(x));
        require(y < BN254.P, DrandBeacon_NotCanonical(y));
        require(x | y != 0, DrandBeacon_Infinity());
        require(BN254.onCurve(x, y), DrandBeacon_NotOnCurve());
        bytes32 message = keccak256(abi.encodePacked(round));
        uint256[2] memory point = BN254.hashToG1(DOMAIN, abi.encodePacked(message));
        uint256[4] memory key = [_KEY_X_IM, _KEY_X_RE, _KEY_Y_IM, _KEY_Y_RE];
        require(BN254.verify([x, y], key, point), DrandBeacon_BadSignature(round));
        return sha256(signature);
    }

    /// @inheritdoc IBeacon
    function targetAfter(uint64) external view returns (uint64 target) {
        uint256 known = block.timestamp + MARGIN;
        return known < GENESIS ? 1 : uint64((known - GENESIS) / PERIOD + 2);
    }

    /// @inheritdoc IBeacon
    function value(uint64 target) external view returns (bytes32 randomness, uint64 since) {
        require(!expired(target), Beacon_Expired(target));
        require(ready(target), Beacon_NotReady(target));
        Entry storage entry = _entries[target];
        return (entry.randomness, entry.postedIn);
    }

    /// @inheritdoc IBeacon
    function ready(uint64 target) public view returns (bool) {
        return _entries[target].randomness != 0;
    }

    /// @inheritdoc IBeacon
    function expired(uint64 target) public view returns (bool) {
        return !ready(target) && _isOver(target);
    }

    /// @inheritdoc IDrandBeacon
    function timeOf(uint64 round) public view returns (uint256) {
        return GENESIS + uint256(round) * PERIOD - PERIOD;
    }

    function _isOver(uint64 round) private view returns (bool) {
        return block.timestamp > timeOf(round) + PATIENCE;
    }
}
