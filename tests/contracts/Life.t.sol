// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Check, Role, Ruling, TaskParams, TaskState} from "../../contracts/libraries/Types.sol";
import {Ledger} from "./Ledger.sol";
import {Params} from "./Params.sol";

/// A whole task, to the wei: three rounds with audits, a cheat in the second, everybody paid and out.
contract LifeTest is Ledger {
    uint256 private budget;
    uint256 private claimed;

    function setUp() public override {
        deploy();
        TaskParams memory p = Params.demo(address(token), address(beacon));
        p.auditRate = 1 << 32;
        task = list(p);
        budget = escrow();
        joinAll();
    }

    function test_money_is_conserved_from_the_first_join_to_the_last_withdrawal() public {
        playRound(1, 15, false);
        playRound(2, 13, true);
        playRound(3, 13, false);
        vm.assertEq(rounds.settledThrough(task), 3, "settled");
        finishAndLeave();
        withdrawAll();
    }

    function playRound(uint32 r, uint256 paid, bool cheat) private {
        toVote(r);
        if (cheat) plan(r, checker(r, 0), 1, Check.SEGMENT, segmentOf(r, checker(r, 0), 1));
        voteAll(r);
        revealAll(r);
        postAll(r);
        settle(r, Ruling.GUILTY_GROSS);
        vm.assertEq(view_(r).paid, paid, "paid");
        assertBooks();
        claimed += claimAll(r);
        vm.assertEq(unclaimed(r), 0, "pot is empty once everybody has claimed");
        assertBooks();
        for (uint256 i; i < Params.VERIFIERS; ++i) {
            delete planned[i];
        }
    }

    function finishAndLeave() private {
        tasks.finish(task);
        vm.assertTrue(tasks.stateOf(task) == TaskState.FINISHED, "finished");
        vm.assertEq(escrow(), 0, "escrow is refunded");
        vm.assertTrue(claimed + free(INITIATOR) <= budget + Params.money().initiatorBond, "paid + refunded <= escrowed");
        for (uint8 i; i < Params.TRAINERS; ++i) {
            slots.withdrawStake(task, Role.TRAINER, i);
        }
        for (uint8 i; i < Params.VERIFIERS; ++i) {
            slots.withdrawStake(task, Role.VERIFIER, i);
        }
        assertBooks();
    }

    /// Everybody takes out all that it has: what remains is what burned.
    function withdrawAll() private {
        for (uint256 i; i < Params.TRAINERS; ++i) {
            withdraw(trainerOwner(i));
        }
        for (uint256 i; i < Params.VERIFIERS; ++i) {
            withdraw(verifierOwner(i));
        }
        withdraw(INITIATOR);
        withdraw(KEEPER);
        vm.assertEq(vault.liabilities(address(token)), burned(), "only what burned is left");
        vault.flush(token);
        vm.assertEq(token.balanceOf(address(vault)), 0, "the vault is empty");
    }

    function withdraw(address who) private {
        uint256 amount = free(who);
        vm.prank(who);
        vault.withdraw(token, amount);
        vm.assertEq(token.balanceOf(who), amount, "withdrawn");
    }
}
