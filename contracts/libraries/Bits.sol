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

    /// Bit p of a 64-bit set becomes the low bit of the four-bit field p.
    function toNibbles(uint64 set) internal pure returns (uint256 x) {
        x = set;
        x = (x | (x << 96)) & (type(uint256).max / (2 ** 128 - 1) * 0xffffffff);
        x = (x | (x << 48)) & (type(uint256).max / (2 ** 64 - 1) * 0xffff);
        x = (x | (x << 24)) & (type(uint256).max / (2 ** 32 - 1) * 0xff);
        x = (x | (x << 12)) & (type(uint256).max / (2 ** 16 - 1) * 0xf);
        x = (x | (x << 6)) & (type(uint256).max / (2 ** 8 - 1) * 3);
        x = (x | (x << 3)) & (type(uint256).max / 15);
    }

    /// The inverse: bit p is the low bit of the four-bit field p.
    function fromNibbles(uint256 x) internal pure returns (uint64) {
        x &= type(uint256).max / 15;
        x = (x | (x >> 3)) & (type(uint256).max / (2 ** 8 - 1) * 3);
        x = (x | (x >> 6)) & (type(uint256).max / (2 ** 16 - 1) * 0xf);
        x = (x | (x >> 12)) & (type(uint256).max / (2 ** 32 - 1) * 0xff);
        x = (x | (x >> 24)) & (type(uint256).max / (2 ** 64 - 1) * 0xffff);
        x = (x | (x >> 48)) & (type(uint256).max / (2 ** 128 - 1) * 0xffffffff);
        return uint64(x | (x >> 96));
    }

    /// Bit p set where the four-bit field p is at least `bar` (1 to 15).
    function nibblesAtLeast(uint256 x, uint256 bar) internal pure returns (uint64) {
        unchecked {
            // Added to 16 - bar, exactly the fields that reach the bar carry into bit 4 of their byte.
            uint256 ones = type(uint256).max / 255;
            uint256 even = (x & (ones * 15)) + ones * (16 - bar);
            uint256 odd = ((x >> 4) & (ones * 15)) + ones * (16 - bar);
            return fromNibbles(((even >> 4) & ones) | (odd & (ones * 16)));
        }
    }
}
