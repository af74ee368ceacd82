// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ballot, Phase, Role, RoundView} from "../libraries/Types.sol";

/// @title Events and errors of Rounds, shared by its two halves.
interface IRoundsEvents {
    event RoundOpened(
        uint256 indexed task, uint32 indexed round, uint64 trainers, uint256 verifiers, uint64 seedTarget
    );
    event PhaseChanged(uint256 indexed task, uint32 indexed round, Phase phase, uint64 phaseEnd);
    event BeaconRead(uint256 indexed task, uint32 indexed round, uint8 indexed which, bytes32 value); // 0 seed, 1 seal, 2 audit
    event Committed(
        uint256 indexed task,
        uint32 indexed round,
        uint8 indexed position,
        bytes32 manifest,
        bytes32 receiptRoot,
        bytes32 leafRoot
    );
    event Attested(uint256 indexed task, uint32 indexed round, uint8 indexed position, uint64 held);
    event CommitteeDrawn(uint256 indexed task, uint32 indexed round, uint8 indexed kind, uint256 members); // 0 attesters, 1 checkers
    event Voted(uint256 indexed task, uint32 indexed round, uint8 indexed position, bytes32 ballotHash);
    event Revealed(uint256 indexed task, uint32 indexed round, uint8 indexed position, Ballot ballot);
    event Soft(uint256 indexed task, uint32 indexed round, uint64 accepted, uint64 challenged, bool quorum);
    event EvidencePosted(uint256 indexed task, uint32 indexed round, uint8 indexed position, uint256 index, bytes leaf);
    event VersionReported(uint256 indexed task, uint32 indexed round, uint8 indexed position, bytes32 version);
    event VersionRecorded(uint256 indexed task, uint32 indexed round, bytes32 version);
    event Finalised(uint256 indexed task, uint32 indexed round, Phase phase, uint64 paid, uint256 returned);
    event Claimed(uint256 indexed task, Role indexed role, uint8 indexed position, uint256 amount);

    error Rounds_NothingDue(uint256 task, uint32 round);
    error Rounds_NotReadyToOpen(uint256 task, uint32 round, string reason);
    error Rounds_WrongPhase(uint256 task, uint32 round, Phase phase);
    error Rounds_NotMember(uint256 task, uint32 round, address operator);
    error Rounds_AlreadyDone(uint256 task, uint32 round, uint8 position);
    error Rounds_BallotMismatch(uint256 task, uint32 round, uint8 position);
    error Rounds_BadMarks(uint128 marks);
    error Rounds_BadChallenge(uint256 index, string reason);
    error Rounds_NotAudited(uint256 task, uint32 round, uint8 position);
    error Rounds_BadEvidence(string reason);
    error Rounds_NotCore(address caller);
}

/// @title Rounds: commit, attest, seal, vote, reveal, settle; the version records.
/// @notice Every call first performs the transitions that are due. Windows follow from block numbers alone, so it does not
/// matter who calls or when.
interface IRounds is IRoundsEvents {
    /// @notice Performs what is due: opens `round` if it is the next, or moves it on. Pays the tip if anything changed,
    /// else reverts with `Rounds_NothingDue`.
    function advance(uint256 task, uint32 round) external;

    /// @notice A trainer's one commitment of the round: digest of its manifest and the two roots it repeats.
    function commit(uint256 task, uint32 round, bytes32 manifest, bytes32 receiptRoot, bytes32 leafRoot) external;

    /// @notice An attester says which committed contributions are held and mirrored.
    function attest(uint256 task, uint32 round, uint64 held) external;

    /// @notice A checker's hidden ballot: see `ballotHash`.
    function vote(uint256 task, uint32 round, bytes32 hash) external;

    /// @notice Opens the ballot. A challenge in it opens a dispute whatever becomes of the quorum and takes the bond.
    function reveal(uint256 task, uint32 round, Ballot calldata ballot) external;

    /// @notice An audited checker shows the evidence leaf that the audit beacon picked, at most 1,024 bytes, and once more
    /// its ballot: the hash it voted binds the evidence root.
    function postEvidence(
        uint256 task,
        uint32 round,
        Ballot calldata ballot,
        bytes calldata leaf,
        bytes32[] calldata proof
    ) external;

    /// @notice After the last round: reports the digest of the version it made. Any verifier operator.
    function reportHead(uint256 task, bytes32 version) external;

    /// @notice Moves what a slot earned in `rounds`, all FINAL or VOID, to its owner's free balance. Anyone may call.
    function claim(uint256 task, Role role, uint8 position, uint32[] calldata rounds) external returns (uint256 amount);

    /// @notice Performs what is due in an open round, for no tip; never reverts for want of it.
    function poke(uint256 task, uint32 round) external;

    /// @notice Pays a tip of this round to `to`, while tips are left. Court only.
    function tip(uint256 task, uint32 round, address to) external;

    // --- Slots only ---

    /// @notice Seats an operator, who must not sit in the task yet. Slots only.
    /// @return activeFrom its first round.
    function seat(uint256 task, Role role, uint8 position, address owner, address operator, bytes32 secretTip)
        external
        returns (uint32 activeFrom);

    /// @notice Marks an operator convicted. Slots only.
    function convict(uint256 task, Role role, uint8 position, address operator) external;

    // --- views ---

    /// @notice Where an operator sits.
    function memberOf(uint256 task, address operator) external view returns (bool seated, Role role, uint8 position);

    /// @notice Who owns a position, and is paid for it; 0 where nobody joined.
    function ownerOf(uint256 task, Role role, uint8 position) external view returns (address);

    /// @notice Trainer positions of an owner.
    function trainersOf(uint256 task, address owner) external view returns (uint64);

    /// @notice The secret that a verifier opened last, at first its tip, and how many it has opened.
    function secretOf(uint256 task, uint8 position, address operator)
        external
        view
        returns (bytes32 last, uint32 opened);

    /// @notice Positions ever convicted.
    function convicted(uint256 task, Role role) external view returns (uint256);

    /// @notice keccak256(abi.encode(chainid, address(this), task, round, shard = 0, voter, marks, challenges, evidenceRoot,
    /// previousVersion, secret, salt)), voter being the operator's address.
    function ballotHash(uint256 task, uint32 round, address voter, Ballot calldata ballot)
        external
        view
        returns (bytes32);

    function round(uint256 task, uint32 round) external view returns (RoundView memory);

    /// @notice Round that opens next; 1 before the first.
    function nextRound(uint256 task) external view returns (uint32);

    /// @notice Why the next round cannot open now; empty where it can.
    function obstacle(uint256 task) external view returns (string memory);

    /// @notice Every round up to this one is FINAL or VOID.
    function settledThrough(uint256 task) external view returns (uint32);

    /// @notice Frozen verifiers and last block of the current window.
    function frame(uint256 task, uint32 round) external view returns (uint256 verifiers, uint64 phaseEnd);

    /// @notice keccak256(manifest, receiptRoot, leafRoot) of a position's commitment in `round`, 0 if none or overwritten.
    function commitment(uint256 task, uint32 round, uint8 position) external view returns (bytes32);

    /// @notice What `claim` would move for these rounds.
    function claimable(uint256 task, Role role, uint8 position, uint32[] calldata rounds)
        external
        view
        returns (uint256);

    /// @notice Whether this checker is audited in `round`, and the index of the evidence leaf it must post.
    /// @dev Reverts before the audit beacon has been read.
    function auditOf(uint256 task, uint32 round, uint8 position)
        external
        view
        returns (bool audited, uint256 index, uint256 leaves);
}
