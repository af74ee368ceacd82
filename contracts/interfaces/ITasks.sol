// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Money, TaskParams, TaskState, Windows} from "../libraries/Types.sol";

/// @title Tasks: immutable parameters, escrow, cancel before start, finish.
interface ITasks {
    event TaskCreated(uint256 indexed task, address indexed initiator, bytes32 spec, bytes32 genesis, uint256 budget);
    event TaskFunded(uint256 indexed task, address indexed from, uint256 amount);
    event TaskStarted(uint256 indexed task);
    event TaskCancelled(uint256 indexed task, uint256 refunded);
    event TaskFinished(uint256 indexed task, uint32 rounds, uint256 refunded);

    error Tasks_UnknownTask(uint256 task);
    error Tasks_BadParameter(string field, string reason);
    error Tasks_WrongState(uint256 task, TaskState state);
    error Tasks_NotInitiator(uint256 task, address caller);
    error Tasks_NotCore(address caller);
    error Tasks_NotStalled(uint256 task);

    /// @notice Creates a task out of the caller's free balance: `budget` goes to escrow, the initiator bond aside.
    /// @return task ids count from 1.
    function createTask(TaskParams calldata params, uint256 budget) external returns (uint256 task);

    /// @notice Adds to a task's escrow out of the caller's free balance.
    function fund(uint256 task, uint256 amount) external;

    /// @notice Ends a task whose first round has not opened; escrow and bond return. Initiator only.
    function cancel(uint256 task) external;

    /// @notice Ends a task after its last round is FINAL or VOID, or when no further round can open for want of
    /// escrow or of verifier seats. Anyone. What is left of escrow and bond returns to the initiator.
    function finish(uint256 task) external;

    /// @notice Called by Rounds when round 1 opens.
    function start(uint256 task) external;

    function params(uint256 task) external view returns (TaskParams memory);
    function stateOf(uint256 task) external view returns (TaskState);
    function initiatorOf(uint256 task) external view returns (address);
    function taskCount() external view returns (uint256);
    function tokenOf(uint256 task) external view returns (address);
    function moneyOf(uint256 task) external view returns (Money memory);
    function windowsOf(uint256 task) external view returns (Windows memory);
}
