// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Sets of positions as bitmaps.
library Bits {
    function has(uint256 set, uint256 position) internal pure returns (bool) {
        return (set >> position) & 1 == 1;
    }

    function count(uint256 set) internal pure returns (uint256 n) {
        unchecked {
            set -= (set >> 1) & (type(uint256).max / 3);
            set = (set & (type(uint256).max / 15 * 3)) + ((set >> 2) & (type(uint256).max / 15 * 3));
            set = (set + (set >> 4)) & (type(uint256).max / 255 * 15);
            // Sixteen-bit sums: the byte sums of a full word would add up to 256 and wrap to zero.
            set = (set & (type(uint256).max / 65535 * 255)) + ((set >> 8) & (type(uint256).max / 65535 * 255));
            n = (set * (type(uint256).max / 65535)) >> 240;
        }
    }

    /// The lowest position of a set that is not empty.
    function lowest(uint256 set) internal pure returns (uint256) {
        unchecked {
            return count((set & (0 - set)) - 1);
        }
    }

    /// The (n+1)-th position in ascending order; the set must hold more than n.
    function nth(uint256 set, uint256 n) internal pure returns (uint256) {
        for (; n > 0; --n) {
            set &= set - 1;
        }
        return lowest(set);
    }

    /// Every second bit of a word of 64 two-bit fields: bit p is the low bit of field p.
    function everySecond(uint256 x) internal pure returns (uint64) {
        x &= 0x55555555555555555555555555555555;
        x = (x | (x >> 1)) & 0x33333333333333333333333333333333;
        x = (x | (x >> 2)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
        x = (x | (x >> 4)) & 0x00ff00ff00ff00ff00ff00ff00ff00ff;
        x = (x | (x >> 8)) & 0x0000ffff0000ffff0000ffff0000ffff;
        x = (x | (x >> 16)) & 0x00000000ffffffff00000000ffffffff;
        return uint64(x | (x >> 32));
    }

    /// Bit p of a 64-bit set to the low bit of the four-bit field p.
    function toNibbles(uint64 set) internal pure returns (uint256 x) {
        x = set;
        x = (x | (x << 96)) & 0x00000000ffffffff000000000000000000000000ffffffff;
        x = (x | (x << 48)) & 0x0000ffff000000000000ffff000000000000ffff000000000000ffff;
        x = (x | (x << 24)) & 0x00ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff;
        x = (x | (x << 12)) & 0x0f000f000f000f000f000f000f000f000f000f000f000f000f000f000f000f;
        x = (x | (x << 6)) & 0x0303030303030303030303030303030303030303030303030303030303030303;
        x = (x | (x << 3)) & 0x1111111111111111111111111111111111111111111111111111111111111111;
    }

    /// Bit p set where the four-bit field p is at least `bar` (1 to 15).
    function nibblesAtLeast(uint256 x, uint256 bar) internal pure returns (uint64 set) {
        for (uint256 p; p < 64; ++p) {
            if ((x >> (4 * p)) & 15 >= bar) set |= uint64(1 << p);
        }
    }
}
