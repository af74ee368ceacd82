// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITasks} from "./interfaces/ITasks.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {TaskRules} from "./libraries/TaskRules.sol";
import {Money, Role, TaskParams, TaskState, Windows} from "./libraries/Types.sol";
import {Wired} from "./Wired.sol";

/// @title Tasks: see ITasks.
contract Tasks is ITasks, Wired {
    uint256 private constant GRACE = 250; // blocks after startBlock until a task that nobody joins can be ended

    /// @inheritdoc ITasks
    uint256 public taskCount;
    /// @inheritdoc ITasks
    mapping(uint256 task => TaskState) public stateOf;
    /// @inheritdoc ITasks
    mapping(uint256 task => address) public initiatorOf;

    mapping(uint256 task => TaskParams) private _params;

    constructor(address[5] memory core) Wired(core, 1, address(this)) {}

    modifier known(uint256 task) {
        require(stateOf[task] != TaskState.NONE, Tasks_UnknownTask(task));
        _;
    }

    /// @inheritdoc ITasks
    function createTask(TaskParams calldata given, uint256 budget) external returns (uint256 task) {
        TaskRules.check(given, budget);
        task = ++taskCount;
        _params[task] = given;
        initiatorOf[task] = msg.sender;
        stateOf[task] = TaskState.LISTED;
        emit TaskCreated(task, msg.sender, given.spec, given.genesis, budget);
        VAULT.move(given.token, Accounts.free(msg.sender), Accounts.escrow(task), budget);
        VAULT.move(given.token, Accounts.free(msg.sender), Accounts.bond(task), given.money.initiatorBond);
    }

    /// @inheritdoc ITasks
    function fund(uint256 task, uint256 amount) external known(task) {
        TaskState state = stateOf[task];
        require(state == TaskState.LISTED || state == TaskState.RUNNING, Tasks_WrongState(task, state));
        emit TaskFunded(task, msg.sender, amount);
        VAULT.move(_params[task].token, Accounts.free(msg.sender), Accounts.escrow(task), amount);
    }

    /// @inheritdoc ITasks
    function cancel(uint256 task) external known(task) {
        require(msg.sender == initiatorOf[task], Tasks_NotInitiator(task, msg.sender));
        require(stateOf[task] == TaskState.LISTED, Tasks_WrongState(task, stateOf[task]));
        stateOf[task] = TaskState.CANCELLED;
        emit TaskCancelled(task, _refund(task));
    }

    /// @inheritdoc ITasks
    function finish(uint256 task) external known(task) {
        TaskState state = stateOf[task];
        uint32 opened = ROUNDS.nextRound(task) - 1;
        if (state == TaskState.LISTED) {
            require(block.number > uint256(_params[task].startBlock) + GRACE, Tasks_NotStalled(task));
        } else {
            require(state == TaskState.RUNNING, Tasks_WrongState(task, state));
            require(ROUNDS.settledThrough(task) == opened, Tasks_NotStalled(task));
        }
        require(bytes(ROUNDS.obstacle(task)).length > 0, Tasks_NotStalled(task));
        stateOf[task] = TaskState.FINISHED;
        emit TaskFinished(task, opened, _refund(task));
    }

    /// @inheritdoc ITasks
    function start(uint256 task) external {
        require(msg.sender == address(ROUNDS), Tasks_NotCore(msg.sender));
        stateOf[task] = TaskState.RUNNING;
        emit TaskStarted(task);
    }

    /// @inheritdoc ITasks
    function params(uint256 task) external view known(task) returns (TaskParams memory) {
        return _params[task];
    }

    /// @inheritdoc ITasks
    function tokenOf(uint256 task) external view known(task) returns (address) {
        return _params[task].token;
    }

    /// @inheritdoc ITasks
    function moneyOf(uint256 task) external view known(task) returns (Money memory) {
        return _params[task].money;
    }

    /// @inheritdoc ITasks
    function windowsOf(uint256 task) external view known(task) returns (Windows memory) {
        return _params[task].windows;
    }

    function _refund(uint256 task) private returns (uint256 refunded) {
        address token = _params[task].token;
        bytes32 to = Accounts.free(initiatorOf[task]);
        uint256 escrow = VAULT.balanceOf(token, Accounts.escrow(task));
        uint256 bond = VAULT.balanceOf(token, Accounts.bond(task));
        VAULT.move(token, Accounts.escrow(task), to, escrow);
        VAULT.move(token, Accounts.bond(task), to, bond);
        return escrow + bond;
    }
}
