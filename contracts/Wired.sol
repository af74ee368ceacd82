// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "./interfaces/ICourt.sol";
import {IRounds} from "./interfaces/IRounds.sol";
import {ISlots} from "./interfaces/ISlots.sol";
import {ITasks} from "./interfaces/ITasks.sol";
import {IVault} from "./interfaces/IVault.sol";

/// @title The five core contracts know each other from birth; nobody can change that.
/// @dev The deployer computes all five CREATE addresses before it deploys the first.
abstract contract Wired {
    IVault public immutable VAULT;
    ITasks public immutable TASKS;
    ISlots public immutable SLOTS;
    IRounds public immutable ROUNDS;
    ICourt public immutable COURT;

    error Wired_WrongAddress(address expected, address actual);

    /// @param self address of the core contract that this code is, or belongs to.
    constructor(address[5] memory core, uint256 own, address self) {
        require(core[own] == self, Wired_WrongAddress(core[own], self));
        VAULT = IVault(core[0]);
        TASKS = ITasks(core[1]);
        SLOTS = ISlots(core[2]);
        ROUNDS = IRounds(core[3]);
        COURT = ICourt(core[4]);
    }

    function _isCore(address caller) internal view returns (bool) {
        return
            caller == address(TASKS) || caller == address(SLOTS) || caller == address(ROUNDS)
                || caller == address(COURT);
    }
}
