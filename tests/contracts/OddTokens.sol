// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";

/// Keeps a hundredth of every transfer.
contract FeeToken is ERC20("Fee", "FEE") {
    function faucet(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(to, address(0), value / 100);
    }
}

/// Gives more than it was asked for.
contract GenerousToken is ERC20("Generous", "GEN") {
    function faucet(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        _mint(to, 1);
        return super.transferFrom(from, to, value);
    }
}

/// Says yes and moves nothing.
contract LyingToken {
    mapping(address => uint256) public balanceOf;

    function transferFrom(address, address, uint256) external pure returns (bool) {
        return true;
    }
}

/// Answers transfers with nothing at all, as some old tokens do; its fallback takes any call, a permit too.
contract SilentToken {
    mapping(address => uint256) public balanceOf;

    function faucet(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        (balanceOf[from], balanceOf[to]) = (balanceOf[from] - amount, balanceOf[to] + amount);
    }

    function transfer(address to, uint256 amount) external {
        (balanceOf[msg.sender], balanceOf[to]) = (balanceOf[msg.sender] - amount, balanceOf[to] + amount);
    }

    fallback() external {}
}

/// Reverts permits with a megabyte.
contract LoudToken is ERC20("Loud", "LOUD") {
    function faucet(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function permit(address, address, uint256, uint256, uint8, bytes32, bytes32) external pure {
        assembly ("memory-safe") {
            revert(0, 1000000)
        }
    }
}

/// Calls the vault back in the middle of a transfer, as somebody with a balance there.
contract RecursiveToken is ERC20("Recursive", "REC") {
    IVault private immutable VAULT;
    bytes private _call;
    bytes public answer;

    constructor(IVault vault) {
        VAULT = vault;
    }

    function faucet(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function arm(bytes calldata call_) external {
        _call = call_;
    }

    /// Deposits its own money, so that it has some to steal with.
    function stock(uint256 amount) external {
        _mint(address(this), amount);
        _approve(address(this), address(VAULT), type(uint256).max);
        VAULT.deposit(IERC20(address(this)), amount);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_call.length == 0) return;
        bytes memory once = _call;
        _call = "";
        (bool fine, bytes memory said) = address(VAULT).call(once);
        answer = fine ? bytes("done") : said;
    }
}

/// Refuses transfers to whoever is on its list.
contract ListToken is ERC20("List", "LIST") {
    mapping(address => bool) public blocked;

    function faucet(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function ban(address who) external {
        blocked[who] = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        require(!blocked[to], "blocked");
        super._update(from, to, value);
    }
}
