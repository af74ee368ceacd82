// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Vault} from "../../contracts/Vault.sol";
import {Wired} from "../../contracts/Wired.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {RecursiveToken} from "./OddTokens.sol";
import {World} from "./World.sol";

/// What only the core may do with the vault, and what nobody may.
contract VaultCoreTest is World {
    address private constant DEAD = 0x000000000000000000000000000000000000dEaD;

    function test_only_the_four_core_contracts_move_and_burn() public {
        give(STRANGER, 20);
        bytes32 from = Accounts.free(STRANGER);
        for (uint256 i = 1; i < 5; ++i) {
            vm.startPrank(core[i]);
            vault.move(address(token), from, Accounts.escrow(7), 2);
            vault.burn(address(token), from, 1);
            vm.stopPrank();
        }
        vm.assertEq(free(STRANGER), 8, "left");
        vm.assertEq(held(Accounts.escrow(7)), 8, "moved");
        vm.assertEq(burned(), 4, "burned");
    }

    function testFuzz_nobody_else_moves_or_burns(address who) public {
        for (uint256 i = 1; i < 5; ++i) {
            vm.assume(who != core[i]);
        }
        bytes memory refusal = abi.encodeWithSelector(IVault.Vault_NotCore.selector, who);
        vm.expectRevert(refusal);
        vm.prank(who);
        vault.move(address(token), Accounts.free(INITIATOR), Accounts.free(who), 0);
        vm.expectRevert(refusal);
        vm.prank(who);
        vault.settle(address(token), 7, 1, 0, 0);
        vm.expectRevert(refusal);
        vm.prank(who);
        vault.burn(address(token), Accounts.free(INITIATOR), 0);
    }

    function test_the_core_moves_no_more_than_there_is() public {
        bytes32 empty = Accounts.free(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IVault.Vault_Insufficient.selector, empty, 0, 1));
        vm.prank(core[1]);
        vault.move(address(token), empty, Accounts.escrow(7), 1);
    }

    function testFuzz_settling_a_pot_empties_it_to_the_wei(uint96 all, uint96 burned_, uint96 owed) public {
        burned_ = uint96(bound(burned_, 0, all));
        owed = uint96(bound(owed, 0, all - burned_));
        if (all > 0) give(STRANGER, all);
        vm.startPrank(core[3]);
        vault.move(address(token), Accounts.free(STRANGER), Accounts.pot(7, 1), all);
        uint256 rest = vault.settle(address(token), 7, 1, burned_, owed);
        vm.assertEq(rest, all - burned_ - owed, "rest");
        vm.assertEq(held(Accounts.escrow(7)), rest, "in the escrow");
        vm.assertEq(held(Accounts.claims(7)), owed, "to be claimed");
        vm.assertEq(burned(), burned_, "burned");
        vm.assertEq(held(Accounts.pot(7, 1)), 0, "pot");
    }

    function test_a_pot_does_not_owe_more_than_it_holds() public {
        bytes32 pot = Accounts.pot(7, 1);
        give(STRANGER, 5);
        vm.startPrank(core[3]);
        vault.move(address(token), Accounts.free(STRANGER), pot, 5);
        vm.expectRevert(abi.encodeWithSelector(IVault.Vault_Insufficient.selector, pot, 2, 3));
        vault.settle(address(token), 7, 1, 3, 3);
    }

    function test_a_move_to_oneself_makes_nothing() public {
        give(STRANGER, 20);
        bytes32 account = Accounts.free(STRANGER);
        vm.prank(core[1]);
        vault.move(address(token), account, account, 20);
        vm.assertEq(free(STRANGER), 20, "unchanged");
    }

    function test_anyone_flushes_what_burned_and_it_is_owed_no_longer() public {
        give(STRANGER, 20);
        uint256 owed = vault.liabilities(address(token));
        vm.prank(core[4]);
        vault.burn(address(token), Accounts.free(STRANGER), 15);
        vm.assertEq(vault.liabilities(address(token)), owed, "burned and still held");
        vm.prank(STRANGER);
        vault.flush(token);
        vm.assertEq(token.balanceOf(DEAD), 15, "dead");
        vm.assertEq(vault.liabilities(address(token)), owed - 15, "owed no longer");
        vm.assertEq(burned(), 0, "flushed");
    }

    /// CH-30: a token that calls back finds the door shut, and no wei is counted twice.
    function testFuzz_a_token_that_calls_back_is_locked_out(uint256 which) public {
        RecursiveToken odd = new RecursiveToken(vault);
        odd.stock(100);
        bytes[3] memory calls = [
            abi.encodeCall(IVault.deposit, (odd, 1)),
            abi.encodeCall(IVault.withdraw, (odd, 100)),
            abi.encodeCall(IVault.flush, (odd))
        ];
        odd.faucet(STRANGER, 50);
        odd.arm(calls[which % 3]);
        vm.startPrank(STRANGER);
        odd.approve(address(vault), 50);
        vault.deposit(odd, 50);
        bytes4 said = bytes4(odd.answer());
        vm.assertTrue(said == ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector, "locked out");
        vm.assertEq(vault.liabilities(address(odd)), 150, "owed");
        vm.assertEq(odd.balanceOf(address(vault)), 150, "held");
    }

    function test_a_contract_at_another_address_than_the_core_expects_is_not_born() public {
        address here = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.expectRevert(abi.encodeWithSelector(Wired.Wired_WrongAddress.selector, core[0], here));
        new Vault(core);
    }

    function test_accounts_of_different_names_differ() public pure {
        vm.assertTrue(Accounts.escrow(1) != Accounts.bond(1), "escrow and bond");
        vm.assertTrue(Accounts.claims(1) != Accounts.claims(2), "claims");
        vm.assertTrue(Accounts.pot(1, 2) != Accounts.pot(2, 1), "pots");
        vm.assertTrue(Accounts.docketPot(1, 2, 1) != Accounts.docketPot(1, 1, 2), "docket pots");
    }
}
