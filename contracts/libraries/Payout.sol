// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Money} from "./Types.sol";

/// @title The arithmetic of money: integers, and every rounding has a direction.
library Payout {
    uint256 internal constant TIPS = 24;

    /// Two thirds, rounded up.
    function quorum(uint256 members) internal pure returns (uint256) {
        return (2 * members + 2) / 3;
    }

    /// What a slash takes: never more than the stake, and at least 1 wei of a stake that is not empty.
    function slash(uint256 stake, uint256 amount, uint256 cap)
        internal
        pure
        returns (uint256 taken, uint256 bounty, uint256 burned)
    {
        taken = stake < amount ? stake : amount;
        if (taken == 0 && stake > 0) taken = 1;
        bounty = taken / 10; // down: at least nine tenths burn
        if (bounty > cap) bounty = cap;
        burned = taken - bounty;
    }

    /// A fine: never more than the stake.
    function fine(uint256 stake, uint256 amount) internal pure returns (uint256) {
        return stake < amount ? stake : amount;
    }

    /// Equal shares of a bounty, rounded down; the dust burns.
    function share(uint256 bounty, uint256 challengers) internal pure returns (uint256 each, uint256 dust) {
        if (challengers == 0) return (0, bounty);
        each = bounty / challengers;
        dust = bounty - each * challengers;
    }

    /// What a challenger covers per accused seat: its bond and the fees of a whole jury.
    function bond(uint256 challengeBond, uint256 jurorFee, uint256 verifiers) internal pure returns (uint256) {
        return challengeBond + jurorFee * verifiers;
    }

    /// Everything one round can owe, the second attempt of its vote and both dockets included.
    function reserve(Money memory money, uint256 trainers, uint256 verifiers, uint256 committee)
        internal
        pure
        returns (uint256)
    {
        return trainers * money.price + verifiers * trainers * money.checkFee + committee * trainers * money.attestFee
            + verifiers * money.jurorFee * (trainers + verifiers) + TIPS * money.tip;
    }
}
