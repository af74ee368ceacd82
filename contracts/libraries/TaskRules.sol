// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITasks} from "../interfaces/ITasks.sol";
import {Payout} from "./Payout.sol";
import {Money, TaskParams, Windows} from "./Types.sol";

/// @title What a task must satisfy to be listed. Whether it pays to be honest in it is for `kizuna publish` to compute.
library TaskRules {
    uint256 private constant MIN_PRICE = 1e6; // wei: below, fractions of it round to nothing
    uint256 private constant MAX_WINDOW = 1_000_000; // blocks: keeps every deadline far from overflow
    uint256 private constant MIN_CHALLENGE = 5; // blocks: the audit beacon comes two after the reveals

    function check(TaskParams calldata p, uint256 budget) internal pure {
        _checkIdentity(p);
        _checkSlots(p);
        _checkSamples(p);
        _checkWindows(p.windows);
        _checkStakes(p.money);
        _checkFees(p.money);
        uint256 reserve = Payout.reserve(p.money, p.trainerSlots, p.verifierSeats, p.committee);
        _require(budget >= reserve, "budget", "below the reserve of one full round");
    }

    function _checkIdentity(TaskParams calldata p) private pure {
        _require(p.token != address(0), "token", "zero");
        _require(p.beacon != address(0), "beacon", "zero");
        _require(p.spec != 0, "spec", "zero");
        _require(p.genesis != 0, "genesis", "zero");
        _require(p.numericsId != 0, "numericsId", "zero");
    }

    function _checkSlots(TaskParams calldata p) private pure {
        _require(p.maxQuota == 1, "maxQuota", "must be 1 in this version");
        _require(p.shardSlots > 0 && p.shardSlots <= 64, "shardSlots", "not in 1..64");
        _require(p.trainerSlots > 0 && p.trainerSlots <= p.shardSlots, "trainerSlots", "not in 1..shardSlots");
        _require(p.verifierSeats > 0 && p.verifierSeats <= 256, "verifierSeats", "not in 1..256");
        _require(p.committee > 0 && p.committee <= 15, "committee", "not in 1..15");
        _require(p.committee <= p.verifierSeats, "committee", "more than verifierSeats");
        _require(p.minVerifierSeats >= p.committee, "minVerifierSeats", "below committee");
        _require(p.minVerifierSeats <= p.verifierSeats, "minVerifierSeats", "more than verifierSeats");
        _require(p.rounds > 0 && p.rounds < type(uint32).max - 1, "rounds", "not in 1..2^32-3");
        _require(p.startBlock < 1 << 47, "startBlock", "too far away");
    }

    function _checkSamples(TaskParams calldata p) private pure {
        _require(p.segments > 0, "segments", "zero");
        _require(p.segmentsPerChecker > 0, "segmentsPerChecker", "zero");
        _require(p.segmentsPerChecker <= p.segments, "segmentsPerChecker", "more than segments");
        _require(p.groupsPerSegment > 0, "groupsPerSegment", "zero");
        _require(p.groupsPerSegment <= type(uint32).max / p.segments, "groupsPerSegment", "times segments overflows");
        _require(p.rolloutsPerChecker <= p.groupsPerSegment, "rolloutsPerChecker", "more than groupsPerSegment");
        // Drawing is quadratic in its sample.
        _require(p.segmentsPerChecker <= 64, "segmentsPerChecker", "more than 64");
        _require(p.rolloutsPerChecker <= 64, "rolloutsPerChecker", "more than 64");
        _require(p.auditRate <= 1 << 32, "auditRate", "above 2^32");
    }

    function _checkWindows(Windows calldata w) private pure {
        _checkWindow(w.open, "windows.open");
        _checkWindow(w.attest, "windows.attest");
        _checkWindow(w.seal, "windows.seal");
        _checkWindow(w.vote, "windows.vote");
        _checkWindow(w.reveal, "windows.reveal");
        _checkWindow(w.challenge, "windows.challenge");
        _checkWindow(w.jcommit, "windows.jcommit");
        _checkWindow(w.jreveal, "windows.jreveal");
        _require(w.open > 2, "windows.open", "closes before the seed can be used");
        _require(w.challenge >= MIN_CHALLENGE, "windows.challenge", "closes before evidence can be posted");
    }

    function _checkStakes(Money calldata m) private pure {
        _require(m.price >= MIN_PRICE, "money.price", "below 1e6 wei");
        _checkStake(m.trainerStake, m.trainerSlash, m.trainerBountyCap, "money.trainerStake", "money.trainerBountyCap");
        _checkStake(
            m.verifierStake, m.verifierSlash, m.verifierBountyCap, "money.verifierStake", "money.verifierBountyCap"
        );
        _require(m.challengeBond > m.cleared, "money.challengeBond", "not above money.cleared");
        _require(m.cleared > 0, "money.cleared", "zero");
    }

    function _checkFees(Money calldata m) private pure {
        _require(m.checkFee > 0, "money.checkFee", "zero");
        _require(m.attestFee > 0, "money.attestFee", "zero");
        _require(m.jurorFee > 0, "money.jurorFee", "zero");
        _require(m.missedDuty > 0, "money.missedDuty", "zero");
        _require(m.unrevealed >= m.missedDuty, "money.unrevealed", "below money.missedDuty");
        _require(m.withheld > 0, "money.withheld", "zero");
        _require(m.unrevealed <= m.verifierStake, "money.unrevealed", "more than money.verifierStake");
        _require(m.withheld <= m.trainerStake, "money.withheld", "more than money.trainerStake");
        _require(m.missedDuty <= m.trainerStake, "money.missedDuty", "more than money.trainerStake");
    }

    function _checkWindow(uint32 blocks, string memory field) private pure {
        _require(blocks > 0 && blocks <= MAX_WINDOW, field, "not in 1..1,000,000");
    }

    function _checkStake(uint128 stake, uint128 slash, uint128 cap, string memory field, string memory capField)
        private
        pure
    {
        _require(slash > 0 && slash <= stake, field, "slash is zero or more than the stake");
        _require(cap <= slash / 10, capField, "more than a tenth of the slash");
    }

    function _require(bool fine, string memory field, string memory reason) private pure {
        require(fine, ITasks.Tasks_BadParameter(field, reason));
    }
}
