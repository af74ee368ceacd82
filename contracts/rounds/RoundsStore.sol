// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsEvents} from "../interfaces/IRounds.sol";
import {Head} from "../libraries/Head.sol";
import {Member} from "../libraries/Member.sol";
import {Phase, Role, Windows} from "../libraries/Types.sol";
import {Wired} from "../Wired.sol";

/// @title What Rounds remembers. Fields that one call changes together share a word, and what can be overwritten is.
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
        uint128 tip;
        // ---
        uint128 checkFee;
        uint128 attestFee;
        // ---
        uint128 missedDuty;
        uint128 unrevealed;
        // ---
        uint128 withheld;
    }

    struct Progress {
        uint32 opened;
        uint32 settledThrough; // every round up to this one is FINAL or VOID
    }

    struct Convicts {
        uint64 trainers;
        uint256 verifiers;
    }

    struct Round {
        // The first word: Head reads it at once.
        Phase phase;
        uint8 flags;
        uint48 phaseEnd;
        uint64 trainers;
        uint64 committed;
        uint64 held;
        // ---
        uint64 passed; // at least one PASS; from SOFT on, accepted
        uint64 challenged;
        uint48 sealTarget;
        uint48 auditTarget;
        uint8 tips;
        uint8 toAgree; // reveals that must still report the same version of the round before
        // ---
        uint48 openBlock;
        uint48 seedTarget;
        uint64 paid;
        uint64 claimed; // trainers that have been
        // ---
        bytes32 seed;
        bytes32 seal;
        bytes32 audit;
        uint256 verifiers;
        uint256 forfeited;
        bytes32 version; // as first reported, UNREPORTED before
        mapping(uint256 => uint256) panel; // see Panel
    }

    uint8 internal constant SEED_READ = 1;
    uint8 internal constant SEAL_READ = 2;
    uint8 internal constant AUDIT_READ = 4;
    uint8 internal constant SECOND_VOTE = 8;
    uint8 internal constant NO_QUORUM = 16;
    uint8 internal constant AUDITS_FILED = 32;
    uint8 internal constant RECORDED = 64; // the version
    uint8 internal constant CONVICTION = 128; // of a trainer or verifier while this was the last round opened

    /// Not zero, so that the first report costs no more than the others.
    bytes32 internal constant UNREPORTED = bytes32(uint256(1));

    mapping(uint256 task => Progress) internal _progress;
    mapping(uint256 task => Terms) internal _terms;
    mapping(uint256 task => Convicts) internal _convicts;
    mapping(uint256 task => mapping(uint32 round => Round)) internal _rounds;
    /// The one word that a call reads to know its caller.
    mapping(uint256 task => mapping(address operator => Member)) internal _members;
    mapping(uint256 task => mapping(Role => mapping(uint8 position => address))) internal _owners;
    mapping(uint256 task => mapping(address owner => uint64 trainers)) internal _trainersOf;
    /// A verifier's secret opened last, at first the tip of its chain.
    mapping(uint256 task => mapping(uint8 position => bytes32)) internal _secrets;
    /// Commitments are overwritten round after round: only their latest digest is of any use on chain.
    mapping(uint256 task => mapping(uint8 position => bytes32)) internal _commitments;
    /// Attestations still missing, as 64 four-bit counters counted down from 15: reused, and never all zero at the start.
    mapping(uint256 task => uint256) internal _countdown;
    /// Ballot hashes by seat of the panel. Those of round r are overwritten by round r + 2, which opens when nobody can
    /// be asked any more for evidence of r.
    mapping(uint256 task => mapping(uint256 parity => mapping(uint256 seat => bytes32))) internal _ballots;
    /// Reports of versions other than the one reported first, and those of the last version.
    mapping(uint256 task => mapping(uint32 round => mapping(bytes32 version => uint256))) internal _reports;
    mapping(uint256 task => uint256) internal _headReported;

    function _head(Round storage r) internal view returns (Head h) {
        assembly ("memory-safe") {
            h := sload(r.slot)
        }
    }

    function _write(Round storage r, Head h) internal {
        assembly ("memory-safe") {
            sstore(r.slot, h)
        }
    }

    function _is(Round storage r, uint8 flag) internal view returns (bool) {
        return r.flags & flag != 0;
    }

    function _terminal(Phase phase) internal pure returns (bool) {
        return phase == Phase.FINAL || phase == Phase.VOID;
    }
}
