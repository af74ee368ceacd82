// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bits} from "./Bits.sol";

/// @title The seats drawn in a round and what each of them did: 32 bits a seat, eight seats a word.
/// @notice What an attester or checker does changes one word, and its fees are claimed from the same one. The first empty
/// cell ends the list.
library Panel {
    using Bits for uint256;

    // A cell: position (8 bits), flags (8), number of passes (7), number of challenges (7).
    uint256 internal constant ATTESTER = 1 << 8;
    uint256 internal constant TO_ATTEST = 1 << 9;
    uint256 internal constant CHECKER = 1 << 10;
    uint256 internal constant TO_VOTE = 1 << 11;
    uint256 internal constant TO_REVEAL = 1 << 12; // voted
    uint256 internal constant REVEALED = 1 << 13;
    uint256 internal constant POSTED = 1 << 14; // audited, and posted its evidence
    uint256 internal constant CLAIMED = 1 << 15; // or forfeited
    uint256 private constant PASSES = 16;
    uint256 private constant CHALLENGES = 23;
    uint256 private constant COUNT = 0x7f;

    uint256 private constant POSITION = 0xff;
    uint256 private constant CELL = 0xffffffff;
    uint256 private constant EVERY = type(uint256).max / CELL; // times a flag: that flag in every cell

    /// The seat of a position and its cell; the cell is 0 where the position was not drawn.
    function find(mapping(uint256 => uint256) storage words, uint256 position)
        internal
        view
        returns (uint256 seat, uint256 cell)
    {
        unchecked {
            for (uint256 i;; ++i) {
                uint256 word = words[i];
                for (seat = 8 * i; seat < 8 * i + 8; ++seat) {
                    cell = word & CELL;
                    if (cell == 0 || cell & POSITION == position) return (seat, cell);
                    word >>= 32;
                }
            }
        }
    }

    /// The positions whose cells have `value` under `mask`.
    function where(mapping(uint256 => uint256) storage words, uint256 mask, uint256 value)
        internal
        view
        returns (uint256 set)
    {
        unchecked {
            for (uint256 i;; ++i) {
                uint256 word = words[i];
                for (uint256 n; n < 8; ++n) {
                    if (word & CELL == 0) return set;
                    if (word & mask == value) set |= 1 << (word & POSITION);
                    word >>= 32;
                }
            }
        }
    }

    /// Whether any seat has the flag.
    function any(mapping(uint256 => uint256) storage words, uint256 flag) internal view returns (bool found) {
        unchecked {
            for (uint256 i; !found; ++i) {
                uint256 word = words[i];
                found = word & (EVERY * flag) != 0;
                if (word >> 224 == 0) break;
            }
        }
    }

    /// How many seats attested, and how many contributions all of them marked.
    function work(mapping(uint256 => uint256) storage words) internal view returns (uint256 attested_, uint256 marked) {
        unchecked {
            for (uint256 i;; ++i) {
                uint256 word = words[i];
                for (uint256 n; n < 8; ++n) {
                    if (word & CELL == 0) return (attested_, marked);
                    if (attested(word)) ++attested_;
                    marked += markedBy(word);
                    word >>= 32;
                }
            }
        }
    }

    /// Inverts flags, or adds counts to the zero that was there.
    function toggle(mapping(uint256 => uint256) storage words, uint256 seat, uint256 what) internal {
        words[seat / 8] ^= what << (seat % 8 * 32);
    }

    /// Adds flags to every position of `set`; a position that has no seat yet takes the next.
    function enrol(mapping(uint256 => uint256) storage words, uint256 set, uint256 flags) internal {
        for (uint256 i; set != 0; ++i) {
            uint256 word = words[i];
            for (uint256 shift; shift < 256 && set != 0; shift += 32) {
                uint256 cell = (word >> shift) & CELL;
                // Behind the first empty cell nobody sits, so whoever is left in `set` by then is new.
                if (cell == 0) cell = set.lowest();
                else if (!set.has(cell & POSITION)) continue;
                word |= (cell | flags) << shift;
                set &= ~(1 << (cell & POSITION));
            }
            words[i] = word;
        }
    }

    /// Puts checkers at the head of the list, so that round after round they sit in the same places.
    function lead(mapping(uint256 => uint256) storage words, uint256 checkers) internal {
        (uint256 attesters, uint256 silent) = (where(words, ATTESTER, ATTESTER), where(words, TO_ATTEST, TO_ATTEST));
        clear(words, CELL);
        enrol(words, checkers, CHECKER | TO_VOTE);
        enrol(words, attesters, ATTESTER);
        enrol(words, silent, TO_ATTEST);
    }

    /// Takes flags from every seat.
    function clear(mapping(uint256 => uint256) storage words, uint256 flags) internal {
        for (uint256 i;; ++i) {
            uint256 word = words[i];
            words[i] = word & ~(EVERY * flags);
            if (word >> 224 == 0) return;
        }
    }

    /// What so many marks add to a cell.
    function marks(uint256 passes, uint256 challenges) internal pure returns (uint256) {
        return passes << PASSES | challenges << CHALLENGES;
    }

    function positionOf(uint256 cell) internal pure returns (uint8) {
        return uint8(cell);
    }

    function passesOf(uint256 cell) internal pure returns (uint256) {
        return (cell >> PASSES) & COUNT;
    }

    /// Contributions that a checker marked PASS or CHALLENGE.
    function markedBy(uint256 cell) internal pure returns (uint256) {
        return passesOf(cell) + ((cell >> CHALLENGES) & COUNT);
    }

    function attested(uint256 cell) internal pure returns (bool) {
        return cell & (ATTESTER | TO_ATTEST) == ATTESTER;
    }
}
