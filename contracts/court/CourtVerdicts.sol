// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accounts} from "../libraries/Accounts.sol";
import {Bits} from "../libraries/Bits.sol";
import {Payout} from "../libraries/Payout.sol";
import {Check, Dispute, Money, Role, Ruling} from "../libraries/Types.sol";
import {CourtStore} from "./CourtStore.sol";

/// @title Counting rulings, and what follows from them for accused, challengers and jurors.
abstract contract CourtVerdicts is CourtStore {
    using Bits for uint256;

    /// A docket being closed.
    struct Hearing {
        uint256 task;
        uint32 round;
        uint8 docket;
        address token;
        bytes32 pot; // the docket's
        Money money;
    }

    /// One accused seat in it.
    struct Trial {
        Role role;
        uint8 accused;
        uint256 items; // bit i: dispute i is about this seat
        bool gross;
        bool lone;
        bool clean; // every item is
        uint256 challengers;
        uint256 winners; // with an item that was upheld
        uint256 losers; // with none upheld and one dismissed
        uint256 forfeited; // wei of lost bonds that are left for the jury
    }

    function _judge(uint256 task, uint32 round, uint8 number) internal {
        Docket storage d = _dockets[task][round][number];
        Hearing memory s = Hearing(
            task, round, number, TASKS.tokenOf(task), Accounts.docketPot(task, round, number), TASKS.moneyOf(task)
        );
        uint256 n = d.disputes.length;
        for (uint16 i; i < n; ++i) {
            Dispute storage c = d.disputes[i];
            c.ruling = _count(d, c, i);
            emit Ruled(task, round, number, i, c.role, c.accused, c.check, c.item, c.ruling);
        }
        uint256 done;
        for (uint256 i; i < n; ++i) {
            if (done.has(i)) continue;
            Trial memory t = _trial(d, i);
            done |= t.items;
            _conclude(d, s, t);
        }
    }

    /// Two thirds of the rulings given and half of the jury decide; anything less is HUNG.
    function _count(Docket storage d, Dispute storage c, uint256 index) private view returns (Ruling) {
        uint256 jury = _eligible(d.jurors, c);
        uint256[5] memory votes;
        for (uint256 left = jury & d.revealed; left != 0; left &= left - 1) {
            ++votes[_rulingOf(d, uint8(left.lowest()), index)];
        }
        uint256 lone = votes[uint256(Ruling.GUILTY_LONE)];
        uint256 gross = votes[uint256(Ruling.GUILTY_GROSS)];
        uint256 clean = votes[uint256(Ruling.CLEAN)];
        uint256 unsure = votes[uint256(Ruling.INDETERMINATE)];
        uint256 given = lone + gross + clean + unsure;
        uint256 size = jury.count();
        if (_carries(lone + gross, given, size)) {
            // Only a segment can differ a little by accident of hardware.
            bool heavy = c.check != Check.SEGMENT || gross * 3 >= (lone + gross) * 2;
            return heavy ? Ruling.GUILTY_GROSS : Ruling.GUILTY_LONE;
        }
        if (_carries(clean, given, size)) return Ruling.CLEAN;
        return _carries(unsure, given, size) ? Ruling.INDETERMINATE : Ruling.HUNG;
    }

    function _carries(uint256 votes, uint256 given, uint256 jury) private pure returns (bool) {
        return votes > 0 && votes * 3 >= given * 2 && votes * 2 >= jury;
    }

    function _rulingOf(Docket storage d, uint8 juror, uint256 index) private view returns (uint256) {
        return (uint256(d.said[juror]) >> (4 * index)) & 15;
    }

    /// Gathers all items against the seat that dispute `first` accuses.
    function _trial(Docket storage d, uint256 first) private view returns (Trial memory t) {
        (t.role, t.accused, t.clean) = (d.disputes[first].role, d.disputes[first].accused, true);
        uint256 dismissed;
        for (uint256 i = first; i < d.disputes.length; ++i) {
            Dispute storage c = d.disputes[i];
            if (c.role != t.role || c.accused != t.accused) continue;
            t.items |= 1 << i;
            t.challengers |= c.challengers;
            bool guilty = c.ruling == Ruling.GUILTY_LONE || c.ruling == Ruling.GUILTY_GROSS;
            t.gross = t.gross || c.ruling == Ruling.GUILTY_GROSS;
            t.lone = t.lone || c.ruling == Ruling.GUILTY_LONE;
            t.clean = t.clean && c.ruling == Ruling.CLEAN;
            if (guilty) t.winners |= c.challengers;
            if (c.ruling == Ruling.CLEAN) dismissed |= c.challengers;
        }
        t.losers = dismissed & ~t.winners;
    }

    function _conclude(Docket storage d, Hearing memory s, Trial memory t) private {
        bool guilty = t.gross || t.lone;
        Session storage o = _sessions[s.task][s.round];
        if (guilty && t.role == Role.TRAINER) o.guiltyTrainers |= uint64(1 << t.accused);
        if (guilty && t.role == Role.VERIFIER) o.guiltyVerifiers |= uint256(1) << t.accused;
        if (t.clean && t.role == Role.TRAINER) o.clearedTrainers |= uint64(1 << t.accused);
        if (guilty) _punish(s, t);
        _settleBonds(s, t);
        uint256 paid = _payJury(d, s, t);
        // A convict's own price pays for its jury; only what is left of it burns when the round is final.
        if (guilty && t.role == Role.TRAINER) o.spent += uint128(paid < s.money.price ? paid : s.money.price);
    }

    /// A strike for a lone mismatch, a slash for anything gross or for the third strike; once per seat, whatever follows.
    function _punish(Hearing memory s, Trial memory t) private {
        if (ROUNDS.convicted(s.task, t.role).has(t.accused)) return;
        if (!t.gross && !SLOTS.strike(s.task, t.role, t.accused, s.round)) return;
        uint256 bounty = SLOTS.slash(s.task, t.role, t.accused, s.round, t.winners == 0 ? bytes32(0) : s.pot);
        (uint256 each, uint256 dust) = Payout.share(bounty, t.winners.count());
        for (uint256 left = t.winners; left != 0; left &= left - 1) {
            uint8 winner = uint8(left.lowest());
            emit BountyPaid(s.task, s.round, winner, each);
            VAULT.move(s.token, s.pot, _purse(s, winner), each);
        }
        VAULT.burn(s.token, s.pot, dust);
    }

    function _settleBonds(Hearing memory s, Trial memory t) private {
        for (uint256 left = t.challengers; left != 0; left &= left - 1) {
            uint8 challenger = uint8(left.lowest());
            uint256 bond = _bonds[s.task][s.round][challenger][t.accused];
            if (!t.losers.has(challenger)) {
                VAULT.move(s.token, s.pot, _purse(s, challenger), bond);
                continue;
            }
            emit BondLost(s.task, s.round, challenger, t.accused, bond);
            if (t.clean) {
                bytes32 purse = Accounts.free(ROUNDS.ownerOf(s.task, Role.TRAINER, t.accused));
                VAULT.move(s.token, s.pot, purse, s.money.cleared);
                bond -= s.money.cleared;
            }
            t.forfeited += bond;
            SLOTS.eject(s.task, Role.VERIFIER, challenger);
        }
    }

    /// A fee to every juror that ruled as the docket did on all of its items here: from lost bonds first, then from the
    /// round's reserve. Returns what came from the reserve.
    function _payJury(Docket storage d, Hearing memory s, Trial memory t) private returns (uint256 reserve) {
        bytes32 roundPot = Accounts.pot(s.task, s.round);
        uint256 fee = s.money.jurorFee;
        for (uint256 left = d.revealed; left != 0; left &= left - 1) {
            uint8 juror = uint8(left.lowest());
            if (!_agreed(d, t.items, juror)) continue;
            uint256 fromBonds = t.forfeited < fee ? t.forfeited : fee;
            t.forfeited -= fromBonds;
            reserve += fee - fromBonds;
            VAULT.move(s.token, s.pot, _purse(s, juror), fromBonds);
            VAULT.move(s.token, roundPot, _purse(s, juror), fee - fromBonds);
        }
        VAULT.burn(s.token, s.pot, t.forfeited);
    }

    function _agreed(Docket storage d, uint256 items, uint8 juror) private view returns (bool sat) {
        for (; items != 0; items &= items - 1) {
            uint256 i = items.lowest();
            Dispute storage c = d.disputes[i];
            if (!_eligible(d.jurors, c).has(juror)) continue;
            if (!_same(Ruling(_rulingOf(d, juror, i)), c.ruling)) return false;
            sat = true;
        }
    }

    /// GROSS and LONE agree that the accused is guilty.
    function _same(Ruling a, Ruling b) private pure returns (bool) {
        if (b == Ruling.HUNG || a == Ruling.NONE) return false;
        bool guiltyA = a == Ruling.GUILTY_LONE || a == Ruling.GUILTY_GROSS;
        bool guiltyB = b == Ruling.GUILTY_LONE || b == Ruling.GUILTY_GROSS;
        return a == b || (guiltyA && guiltyB);
    }

    function _purse(Hearing memory s, uint8 verifier) private view returns (bytes32) {
        return Accounts.free(ROUNDS.ownerOf(s.task, Role.VERIFIER, verifier));
    }
}
