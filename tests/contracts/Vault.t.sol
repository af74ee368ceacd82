// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {FeeToken, GenerousToken, LyingToken, LoudToken, SilentToken} from "./OddTokens.sol";
import {World} from "./World.sol";

contract VaultTest is World {
    uint256 private constant KEY = 0xa11ce;
    bytes32 private constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    function wrongDelivery(address odd, uint256 asked, uint256 got) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IVault.Vault_WrongDelivery.selector, odd, asked, got);
    }

    // --- deposit and withdraw ---

    function testFuzz_a_deposit_can_be_withdrawn_by_its_owner(uint128 amount) public {
        vm.assume(amount > 0);
        uint256 before = vault.liabilities(address(token));
        give(STRANGER, amount);
        vm.assertEq(free(STRANGER), amount, "credited");
        vm.assertEq(vault.liabilities(address(token)), before + amount, "owed");
        vm.prank(STRANGER);
        vault.withdraw(token, amount);
        vm.assertEq(token.balanceOf(STRANGER), amount, "paid out");
        vm.assertEq(vault.liabilities(address(token)), before, "no longer owed");
    }

    function test_nobody_withdraws_more_than_it_has() public {
        give(STRANGER, 5);
        bytes32 account = Accounts.free(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IVault.Vault_Insufficient.selector, account, 5, 6));
        vm.prank(STRANGER);
        vault.withdraw(token, 6);
    }

    function test_nothing_is_no_amount() public {
        vm.expectRevert(IVault.Vault_ZeroAmount.selector);
        vault.deposit(token, 0);
        vm.expectRevert(IVault.Vault_ZeroAmount.selector);
        vault.withdraw(token, 0);
        vm.expectRevert(IVault.Vault_ZeroAmount.selector);
        vault.flush(token);
    }

    // --- permits ---

    function permitFor(uint256 amount) private view returns (uint8 v, bytes32 r, bytes32 s) {
        address owner = vm.addr(KEY);
        bytes32 body = keccak256(abi.encode(PERMIT, owner, address(vault), amount, token.nonces(owner), 1 << 40));
        return vm.sign(KEY, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), body)));
    }

    function test_a_permit_deposits_in_one_call() public {
        token.faucet(vm.addr(KEY), 9);
        (uint8 v, bytes32 r, bytes32 s) = permitFor(9);
        vm.prank(vm.addr(KEY));
        vault.depositWithPermit(token, 9, 1 << 40, v, r, s);
        vm.assertEq(free(vm.addr(KEY)), 9, "deposited");
    }

    /// CH-11: with no allowance, and with 1 wei of it already there.
    function testFuzz_a_permit_used_up_by_a_stranger_is_no_obstacle(bool someAllowance) public {
        address owner = vm.addr(KEY);
        token.faucet(owner, 9);
        if (someAllowance) {
            vm.prank(owner);
            token.approve(address(vault), 1);
        }
        (uint8 v, bytes32 r, bytes32 s) = permitFor(9);
        vm.prank(STRANGER);
        token.permit(owner, address(vault), 9, 1 << 40, v, r, s);
        vm.prank(owner);
        vault.depositWithPermit(token, 9, 1 << 40, v, r, s);
        vm.assertEq(free(owner), 9, "deposited");
        vm.assertEq(free(STRANGER), 0, "to nobody else");
    }

    function test_a_permit_of_somebody_else_moves_nothing_of_theirs() public {
        token.faucet(vm.addr(KEY), 9);
        (uint8 v, bytes32 r, bytes32 s) = permitFor(9);
        vm.expectRevert();
        vm.prank(STRANGER);
        vault.depositWithPermit(token, 9, 1 << 40, v, r, s);
        vm.assertEq(token.balanceOf(vm.addr(KEY)), 9, "still there");
    }

    function test_a_token_that_takes_any_permit_pays_from_the_caller_alone() public {
        SilentToken odd = new SilentToken();
        odd.faucet(STRANGER, 9);
        vm.prank(STRANGER);
        vault.depositWithPermit(IERC20(address(odd)), 4, 1 << 40, 27, bytes32(uint256(1)), bytes32(uint256(2)));
        vm.assertEq(vault.freeOf(address(odd), STRANGER), 4, "caller's");
        vm.prank(STRANGER);
        vault.withdraw(IERC20(address(odd)), 4);
        vm.assertEq(odd.balanceOf(STRANGER), 9, "a token without return values pays out too");
    }

    function test_a_permit_that_reverts_with_a_megabyte_costs_no_more_than_the_call() public {
        LoudToken odd = new LoudToken();
        odd.faucet(STRANGER, 9);
        vm.startPrank(STRANGER);
        odd.approve(address(vault), 9);
        vault.depositWithPermit(odd, 9, 1 << 40, 27, bytes32(uint256(1)), bytes32(uint256(2)));
        vm.assertEq(vault.freeOf(address(odd), STRANGER), 9, "deposited");
    }

    // --- tokens that deliver something else ---

    function test_a_token_that_keeps_a_fee_is_refused() public {
        FeeToken odd = new FeeToken();
        odd.faucet(STRANGER, 1000);
        vm.startPrank(STRANGER);
        odd.approve(address(vault), 1000);
        vm.expectRevert(wrongDelivery(address(odd), 1000, 990));
        vault.deposit(odd, 1000);
    }

    function test_a_token_that_delivers_more_or_nothing_is_refused() public {
        GenerousToken more = new GenerousToken();
        more.faucet(STRANGER, 10);
        vm.startPrank(STRANGER);
        more.approve(address(vault), 10);
        vm.expectRevert(wrongDelivery(address(more), 10, 11));
        vault.deposit(more, 10);
        LyingToken none = new LyingToken();
        vm.expectRevert(wrongDelivery(address(none), 10, 0));
        vault.deposit(IERC20(address(none)), 10);
    }
}
