// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Challenge, Check, Dispute, DocketView, Role, Ruling, Verdict} from "../libraries/Types.sol";

/// @title Court: disputes in dockets, judged by juries of verifier seats in commit-reveal.
/// @notice Docket 1 of a round opens when it is SOFT and holds the checkers' challenges; docket 2 opens when the challenge
/// window ends and holds the audits. Nothing is slashed before its docket closes.
interface ICourt {
    event Disputed(
        uint256 indexed task,
        uint32 indexed round,
        uint8 indexed docket,
        uint16 dispute,
        Role role,
        uint8 accused,
        Check check,
        uint32 item,
        uint8 challenger
    );
    event DocketOpened(
        uint256 indexed task,
        uint32 indexed round,
        uint8 indexed docket,
        uint256 jurors,
        uint16 disputes,
        uint64 phaseEnd
    );
    event JurorCommitted(uint256 indexed task, uint32 indexed round, uint8 indexed docket, uint8 position);
    event JurorRevealed(
        uint256 indexed task,
        uint32 indexed round,
        uint8 indexed docket,
        uint8 position,
        uint8[] rulings,
        bytes32[] results
    );
    event Ruled(
        uint256 indexed task,
        uint32 indexed round,
        uint8 indexed docket,
        uint16 dispute,
        Role role,
        uint8 accused,
        Check check,
        uint32 item,
        Ruling ruling
    );
    event DocketClosed(uint256 indexed task, uint32 indexed round, uint8 indexed docket);
    event BountyPaid(uint256 indexed task, uint32 indexed round, uint8 position, uint256 amount);
    event BondLost(uint256 indexed task, uint32 indexed round, uint8 challenger, uint8 accused, uint256 amount);

    error Court_NotCore(address caller);
    error Court_BondUncovered(uint256 task, uint8 challenger, uint256 needed);
    error Court_NotJuror(uint256 task, uint32 round, uint8 docket, address operator);
    error Court_WrongPhase(uint256 task, uint32 round, uint8 docket);
    error Court_AlreadyDone(uint256 task, uint32 round, uint8 docket, uint8 position);
    error Court_JurorMismatch(uint256 task, uint32 round, uint8 docket, uint8 position);
    error Court_BadRulings(uint256 given, uint256 expected);
    error Court_NothingDue(uint256 task, uint32 round, uint8 docket);
    error Court_DocketFull(uint256 task, uint32 round, uint8 docket);

    /// @notice A juror's hidden rulings: see `jurorHash`.
    function jcommit(uint256 task, uint32 round, uint8 docket, bytes32 hash) external;

    /// @notice Opens the rulings, one per dispute in order (NONE where the juror may not sit), each with its own result.
    function jreveal(
        uint256 task,
        uint32 round,
        uint8 docket,
        uint8[] calldata rulings,
        bytes32[] calldata results,
        bytes32 salt
    ) external;

    /// @notice Moves a docket on for the tip, or reverts with `Court_NothingDue`.
    function advanceDocket(uint256 task, uint32 round, uint8 docket) external;

    /// @notice Performs what is due in both dockets of a round, for no tip.
    function poke(uint256 task, uint32 round) external;

    // --- Rounds only ---

    function file(uint256 task, uint32 round, uint8 challenger, Challenge calldata challenge) external;
    function fileAudit(uint256 task, uint32 round, uint8 accused, uint32 item, bytes32 leafHash) external;

    /// @notice Opens a docket before a jury of `seats`; an empty one closes at once.
    function openDocket(uint256 task, uint32 round, uint8 docket, uint256 seats) external;

    /// @notice Performs what is due in both dockets.
    function close(uint256 task, uint32 round) external returns (Verdict memory);

    // --- views ---

    /// @notice keccak256(abi.encode(chainid, address(this), task, round, docket, juror, rulings, results, salt)).
    function jurorHash(
        uint256 task,
        uint32 round,
        uint8 docket,
        address juror,
        uint8[] calldata rulings,
        bytes32[] calldata results,
        bytes32 salt
    ) external view returns (bytes32);
    function docket(uint256 task, uint32 round, uint8 docket) external view returns (DocketView memory);
    function dispute(uint256 task, uint32 round, uint8 docket, uint16 index) external view returns (Dispute memory);
    /// @notice Whether docket 1 and 2 are both closed, and what they decided about trainers and verifiers.
    function outcome(uint256 task, uint32 round)
        external
        view
        returns (bool closed, uint64 guiltyTrainers, uint64 clearedTrainers, uint256 guiltyVerifiers);
    /// @notice Jury fees that came out of the price of this round's guilty trainers.
    function spentOf(uint256 task, uint32 round) external view returns (uint256);
    /// @notice Bond a challenger must cover per accused seat: challengeBond plus the jury's fees.
    function bondFor(uint256 task, uint32 round) external view returns (uint256);
}
