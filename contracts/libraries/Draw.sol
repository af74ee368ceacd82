// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Draws from a beacon (docs/protocol.md, section 2): rejection sampling, no modulo, no repeats.
library Draw {
    uint256 internal constant ATTEST = 0;
    uint256 internal constant CHECK = 1;
    uint256 internal constant SEGMENT = 2;
    uint256 internal constant ROLLOUT = 3;
    uint256 internal constant AUDIT = 4;
    uint256 internal constant SAMPLE = 5;

    bytes32 private constant TAG = keccak256("kizuna.draw.v1");

    /// What a draw depends on, in the order in which it is hashed. `tag` and `i` are filled in here.
    struct Source {
        bytes32 tag;
        uint256 task;
        uint256 round;
        bytes32 beacon;
        bytes32 secret;
        uint256 seat;
        uint256 slot;
        uint256 kind;
        uint256 i;
    }

    function committee(uint256 task, uint256 round, bytes32 beacon, uint256 kind)
        internal
        pure
        returns (Source memory)
    {
        return Source(TAG, task, round, beacon, 0, 0, 0, kind, 0);
    }

    function seated(
        uint256 task,
        uint256 round,
        bytes32 beacon,
        bytes32 secret,
        uint256 seat,
        uint256 slot,
        uint256 kind
    ) internal pure returns (Source memory) {
        return Source(TAG, task, round, beacon, secret, seat, slot, kind, 0);
    }

    /// Changes `source.i`.
    function word(Source memory source, uint256 i) internal pure returns (uint256 w) {
        source.i = i;
        assembly ("memory-safe") {
            w := keccak256(source, 288)
        }
    }

    /// The first value below n on the walk; n must not be 0.
    function below(Source memory source, uint256 n) internal pure returns (uint256 value) {
        uint256 mask = _mask(n);
        for (uint256 i;; ++i) {
            value = word(source, i) & mask;
            if (value < n) return value;
        }
    }

    /// k distinct values below n in draw order; all of them, ascending, if k >= n.
    function sample(Source memory source, uint256 n, uint256 k) internal pure returns (uint256[] memory values) {
        if (k >= n) return _all(n);
        values = new uint256[](k);
        uint256 mask = _mask(n);
        uint256 found;
        for (uint256 i; found < k; ++i) {
            uint256 value = word(source, i) & mask;
            if (value < n && !_contains(values, found, value)) values[found++] = value;
        }
    }

    /// The members of `set` whose ranks (ascending) are drawn.
    function sampleSet(Source memory source, uint256 set, uint256 n, uint256 k) internal pure returns (uint256 drawn) {
        if (k >= n) return set;
        uint256[] memory ranks = sample(source, n, k);
        uint256 chosen;
        for (uint256 j; j < k; ++j) {
            chosen |= 1 << ranks[j];
        }
        for (uint256 rank; set != 0; ++rank) {
            uint256 rest = set & (set - 1);
            if ((chosen >> rank) & 1 == 1) drawn |= set ^ rest;
            set = rest;
        }
    }

    function _all(uint256 n) private pure returns (uint256[] memory values) {
        values = new uint256[](n);
        for (uint256 j; j < n; ++j) {
            values[j] = j;
        }
    }

    function _contains(uint256[] memory values, uint256 length, uint256 value) private pure returns (bool) {
        for (uint256 j; j < length; ++j) {
            if (values[j] == value) return true;
        }
        return false;
    }

    /// The low ceil(log2 n) bits.
    function _mask(uint256 n) private pure returns (uint256 mask) {
        while (mask + 1 < n) {
            mask = mask * 2 + 1;
        }
    }
}
