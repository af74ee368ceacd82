// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {Wired} from "./Wired.sol";

/// @title Vault: see IVault.
contract Vault is IVault, Wired, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    address private constant DEAD = 0x000000000000000000000000000000000000dEaD;

    /// @inheritdoc IVault
    mapping(address token => mapping(bytes32 account => uint256)) public balanceOf;

    /// @inheritdoc IVault
    mapping(address token => uint256) public liabilities;

    constructor(address[5] memory core) Wired(core, 0, address(this)) {}

    modifier onlyCore() {
        require(_isCore(msg.sender), Vault_NotCore(msg.sender));
        _;
    }

    /// @inheritdoc IVault
    function deposit(IERC20 token, uint256 amount) external nonReentrant {
        _deposit(token, amount);
    }

    /// @inheritdoc IVault
    function depositWithPermit(IERC20 token, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
    {
        // Whoever sees the permit may use it up first: what counts is the allowance that is there afterwards.
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _deposit(token, amount);
    }

    /// @inheritdoc IVault
    function withdraw(IERC20 token, uint256 amount) external nonReentrant {
        require(amount > 0, Vault_ZeroAmount());
        _take(address(token), Accounts.free(msg.sender), amount);
        liabilities[address(token)] -= amount;
        emit Withdrawn(address(token), msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IVault
    function flush(IERC20 token) external nonReentrant {
        uint256 amount = balanceOf[address(token)][Accounts.BURNED];
        require(amount > 0, Vault_ZeroAmount());
        balanceOf[address(token)][Accounts.BURNED] = 0;
        liabilities[address(token)] -= amount;
        emit Flushed(address(token), amount);
        token.safeTransfer(DEAD, amount);
    }

    /// @inheritdoc IVault
    function move(address token, bytes32 from, bytes32 to, uint256 amount) external onlyCore {
        _move(token, from, to, amount);
    }

    /// @inheritdoc IVault
    function burn(address token, bytes32 from, uint256 amount) external onlyCore {
        _burn(token, from, amount);
    }

    /// @inheritdoc IVault
    function settle(address token, uint256 task, uint32 round, uint256 burned, uint256 owed)
        external
        onlyCore
        returns (uint256 rest)
    {
        bytes32 pot = Accounts.pot(task, round);
        _burn(token, pot, burned);
        _move(token, pot, Accounts.claims(task), owed);
        rest = balanceOf[token][pot];
        _move(token, pot, Accounts.escrow(task), rest);
    }

    /// @inheritdoc IVault
    function freeOf(address token, address owner) external view returns (uint256) {
        return balanceOf[token][Accounts.free(owner)];
    }

    function _deposit(IERC20 token, uint256 amount) private {
        require(amount > 0, Vault_ZeroAmount());
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 delivered = token.balanceOf(address(this)) - before;
        require(delivered == amount, Vault_WrongDelivery(address(token), amount, delivered));
        // Only now is the amount known to be there; the guard keeps callbacks of the token out until then.
        balanceOf[address(token)][Accounts.free(msg.sender)] += amount;
        liabilities[address(token)] += amount;
        emit Deposited(address(token), msg.sender, amount);
    }

    function _move(address token, bytes32 from, bytes32 to, uint256 amount) private {
        if (amount == 0) return;
        _take(token, from, amount);
        balanceOf[token][to] += amount;
        emit Moved(token, from, to, amount);
    }

    function _burn(address token, bytes32 from, uint256 amount) private {
        if (amount == 0) return;
        _take(token, from, amount);
        balanceOf[token][Accounts.BURNED] += amount;
        emit Burned(token, from, amount);
    }

    function _take(address token, bytes32 from, uint256 amount) private {
        uint256 available = balanceOf[token][from];
        require(available >= amount, Vault_Insufficient(from, available, amount));
        unchecked {
            balanceOf[token][from] = available - amount;
        }
    }
}
