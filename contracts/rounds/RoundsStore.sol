// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsEvents} from "../interfaces/IRounds.sol";
import {Phase, Windows} from "../libraries/Types.sol";
import {Wired} from "../Wired.sol";

/// @title What Rounds remembers. Fields are ordered so that a commit or an attestation touches few words.
abstract contract RoundsStore is IRoundsEvents, Wired {
    /// What a round needs of its task, copied when round 1 opens.
    struct Terms {
        address beacon;
        uint16 committee;
        uint16 segments;
        uint16 segmentsPerChecker;
        uint16 rolloutsPerChecker;
        uint32 groupsPerSegment;
        // ---
        address token;
        uint64 auditRate;
        uint32 rounds;
        // ---
        Windows windows;
        // ---
        uint128 price;
        uint128 checkFee;
        // ---
        uint128 attestFee;
        uint128 tip;
        // ---
        uint128 missedDuty;
        uint128 unrevealed;
        // ---
        uint128 withheld;
    }

    struct Round {
        Phase phase;
        uint8 flags;
        uint48 phaseEnd;
        uint64 trainers;
        uint64 committed;
        uint64 held;
        // ---
        uint64 openBlock;
        uint64 seedTarget;
        uint64 sealTarget;
        uint64 auditTarget;
        // ---
        bytes32 seed;
        bytes32 seal;
        bytes32 audit;
        // ---
        uint64 passed; // at least one PASS
        uint64 challenged;
        uint64 accepted;
        uint8 tips;
        // ---
        uint64 paid;
        uint64 claimedTrainers;
        // ---
        uint256 verifiers;
        uint256 attesters;
        uint256 toAttest; // attesters that have not yet: one word that never starts at zero
        uint256 checkers;
        uint256 toVote;
        uint256 revealed;
        uint256 lapsed; // voted in the first attempt and did not reveal: out of the second
        uint256 posted; // audited checkers that posted their evidence
        uint256 forfeited;
        uint256 claimedVerifiers;
        bytes32 version;
    }

    struct BallotRecord {
        bytes32 word; // ballot hash, and once revealed the evidence root
        uint128 marks;
    }

    uint8 internal constant SEED_READ = 1;
    uint8 internal constant SEAL_READ = 2;
    uint8 internal constant AUDIT_READ = 4;
    uint8 internal constant SECOND_VOTE = 8;
    uint8 internal constant NO_QUORUM = 16;
    uint8 internal constant AUDITS_FILED = 32;

    /// Every round up to this one is FINAL or VOID.
    mapping(uint256 task => uint32) internal _settledThrough;

    mapping(uint256 task => uint32) internal _opened;
    mapping(uint256 task => Terms) internal _terms;
    mapping(uint256 task => mapping(uint32 round => Round)) internal _rounds;
    /// Commitments are overwritten round after round: only their latest digest is of any use on chain.
    mapping(uint256 task => mapping(uint8 position => bytes32)) internal _commitments;
    /// Attestations still missing, as 64 four-bit counters counted down from 15: reused, and never all zero at the start.
    mapping(uint256 task => uint256) internal _countdown;
    mapping(uint256 task => mapping(uint32 round => mapping(uint8 position => BallotRecord))) internal _ballots;
    mapping(uint256 task => mapping(uint32 round => mapping(bytes32 version => uint256))) internal _reports;
    mapping(uint256 task => uint256) internal _headReported;

    function _is(Round storage r, uint8 flag) internal view returns (bool) {
        return r.flags & flag != 0;
    }

    function _terminal(Phase phase) internal pure returns (bool) {
        return phase == Phase.FINAL || phase == Phase.VOID;
    }
}
