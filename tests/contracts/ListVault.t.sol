// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Check, Ruling} from "../../contracts/libraries/Types.sol";
import {ListToken} from "./OddTokens.sol";
import {Ledger} from "./Ledger.sol";
import {Params} from "./Params.sol";
import {TestToken} from "../../contracts/TestToken.sol";

/// CH-30: a token that refuses a convict, a winner and the burn address in the middle of a task.
contract ListVaultTest is Ledger {
    function test_settlement_waits_for_no_recipient() public {
        deploy();
        token = TestToken(address(new ListToken()));
        task = list(Params.demo(address(token), address(beacon)));
        joinAll();
        toVote(1);
        plan(1, checker(1, 0), 0, Check.UPDATE, 0);
        voteAll(1);
        revealAll(1);
        ListToken odd = ListToken(address(token));
        odd.ban(trainerOwner(0));
        odd.ban(verifierOwner(checker(1, 0)));
        odd.ban(0x000000000000000000000000000000000000dEaD);
        settle(1, Ruling.GUILTY_GROSS);
        vm.assertEq(view_(1).paid, 14, "paid");
        claimAll(1);
        assertBooks();
        vm.expectRevert();
        vault.flush(IERC20(address(odd)));
        address fine = trainerOwner(1);
        uint256 amount = free(fine);
        vm.prank(fine);
        vault.withdraw(IERC20(address(odd)), amount);
        vm.assertEq(odd.balanceOf(fine), amount, "the others are paid out");
    }
}
