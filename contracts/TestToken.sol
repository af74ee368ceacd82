// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title A worthless token with a faucet, for devnets and public test chains.
contract TestToken is ERC20, ERC20Permit {
    constructor() ERC20("Kizuna Test Token", "KTT") ERC20Permit("Kizuna Test Token") {}

    /// @notice Mints as much as anyone likes, to anyone.
    function faucet(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
