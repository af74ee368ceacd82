// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Money, TaskParams, Windows} from "../../contracts/libraries/Types.sol";

/// The demo's task: 4 trainers, 5 verifiers, committees of 3, three segments of four groups. Nobody is audited.
library Params {
    uint128 internal constant P = 1e18; // the price of one quota
    uint16 internal constant TRAINERS = 4;
    uint16 internal constant VERIFIERS = 5;
    bytes32 internal constant NUMERICS = bytes32(uint256(7));

    function demo(address token, address beacon) internal view returns (TaskParams memory p) {
        (p.token, p.beacon) = (token, beacon);
        (p.spec, p.genesis, p.numericsId) = (bytes32(uint256(1)), bytes32(uint256(2)), NUMERICS);
        (p.trainerSlots, p.verifierSeats, p.minVerifierSeats) = (TRAINERS, VERIFIERS, 3);
        (p.maxQuota, p.shardSlots, p.committee, p.rounds) = (1, 8, 3, 3);
        p.startBlock = uint64(block.number) + 100;
        (p.segments, p.segmentsPerChecker, p.groupsPerSegment, p.rolloutsPerChecker) = (3, 1, 4, 2);
        p.windows = windows();
        p.money = money();
    }

    function windows() internal pure returns (Windows memory w) {
        (w.open, w.attest, w.seal, w.vote) = (40, 10, 2, 30);
        (w.reveal, w.challenge, w.jcommit, w.jreveal) = (6, 10, 20, 5);
    }

    function money() internal pure returns (Money memory m) {
        m.price = P;
        (m.trainerStake, m.verifierStake) = (10 * P, 10 * P);
        (m.trainerSlash, m.verifierSlash) = (5 * P, 5 * P);
        (m.trainerBountyCap, m.verifierBountyCap) = (P / 2, P / 2);
        (m.checkFee, m.attestFee, m.jurorFee) = (P * 3 / 10, P / 100, P * 3 / 10);
        (m.missedDuty, m.unrevealed, m.withheld) = (P / 10, P, P / 4);
        (m.challengeBond, m.cleared, m.initiatorBond, m.tip) = (3 * P, 2 * P, 8 * P, P / 1000);
    }
}
