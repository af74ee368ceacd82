// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title The only mover of tokens: a double-entry ledger.
/// @notice Every wei held belongs to exactly one account. An account is an owner's free balance (the address, left-padded)
/// or a pot of the protocol (libraries/Accounts.sol). Tokens enter with `deposit` and leave with `withdraw` or `flush`;
/// everything between is a `move` by one of the core contracts.
interface IVault {
    event Deposited(address indexed token, address indexed owner, uint256 amount);
    event Withdrawn(address indexed token, address indexed owner, uint256 amount);
    event Moved(address indexed token, bytes32 indexed from, bytes32 indexed to, uint256 amount);
    event Burned(address indexed token, bytes32 indexed from, uint256 amount);
    event Flushed(address indexed token, uint256 amount);

    error Vault_NotCore(address caller);
    error Vault_Insufficient(bytes32 account, uint256 available, uint256 needed);
    /// A token that delivers another amount than it was asked for (fee on transfer, rebasing).
    error Vault_WrongDelivery(address token, uint256 asked, uint256 delivered);
    error Vault_ZeroAmount();

    /// @notice Adds `amount` of `token`, pulled from the caller, to the caller's free balance.
    function deposit(IERC20 token, uint256 amount) external;

    /// @notice As `deposit`, with an ERC-2612 permit by the caller. A permit somebody already used is no obstacle.
    function depositWithPermit(IERC20 token, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Sends `amount` of the caller's free balance to the caller.
    function withdraw(IERC20 token, uint256 amount) external;

    /// @notice Sends everything burned so far to 0x...dEaD. Anyone may call it; nothing waits for it.
    function flush(IERC20 token) external;

    /// @notice Moves `amount` between accounts. Core contracts only.
    function move(address token, bytes32 from, bytes32 to, uint256 amount) external;

    /// @notice Moves `amount` to the burn account. Core contracts only.
    function burn(address token, bytes32 from, uint256 amount) external;

    /// @notice Empties the pot of a round: burns `burned`, keeps `owed` for claims and returns the rest to the task's escrow.
    /// Core contracts only.
    function settle(address token, uint256 task, uint32 round, uint256 burned, uint256 owed)
        external
        returns (uint256 rest);

    function balanceOf(address token, bytes32 account) external view returns (uint256);

    /// @notice Free balance of `owner`.
    function freeOf(address token, address owner) external view returns (uint256);

    /// @notice Sum of all accounts of `token`, the burn account included; never more than the tokens held.
    function liabilities(address token) external view returns (uint256);
}
