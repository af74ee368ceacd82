// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {Role} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";

/// The whole of the vault's books, added up account by account.
abstract contract Ledger is Fixture {
    function ledger() internal view returns (uint256 sum) {
        sum = burned() + free(INITIATOR) + free(KEEPER) + free(STRANGER) + free(address(this));
        sum += held(Accounts.escrow(task)) + held(Accounts.bond(task)) + claims();
        for (uint256 i; i < slots.count(task, Role.TRAINER); ++i) {
            sum += free(trainerOwner(i)) + free(trainer(i)) + stakeOf(Role.TRAINER, i);
        }
        for (uint256 i; i < slots.count(task, Role.VERIFIER); ++i) {
            sum += free(verifierOwner(i)) + free(verifier(i)) + stakeOf(Role.VERIFIER, i);
        }
        for (uint32 r = 1; r < rounds.nextRound(task); ++r) {
            sum += pot(r) + held(Accounts.docketPot(task, r, 1)) + held(Accounts.docketPot(task, r, 2));
        }
    }

    function assertBooks() internal view {
        uint256 owed = vault.liabilities(address(token));
        vm.assertEq(ledger(), owed, "every account is known and adds up");
        vm.assertEq(token.balanceOf(address(vault)), owed, "what is owed is held");
    }
}
