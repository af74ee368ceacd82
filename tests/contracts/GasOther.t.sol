// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Role, TaskParams} from "../../contracts/libraries/Types.sol";
import {World} from "./World.sol";
import {Gas} from "./Gas.t.sol";
import {Params} from "./Params.sol";

/// Calls that are made once in a task's or a slot's life, on the demo's task.
/// forge-config: default.isolate = true
contract GasOtherTest is Gas {
    function setUp() public override {
        World.setUp();
    }

    function test_tasks() public {
        TaskParams memory p = Params.demo(address(token), address(beacon));
        give(INITIATOR, 1_000e18);
        measured("deposit");
        vm.startPrank(INITIATOR);
        task = tasks.createTask(p, 300e18);
        measured("createTask");
        tasks.fund(task, 1e18);
        measured("fund");
        tasks.cancel(task);
        measured("cancel");
        vault.withdraw(token, 1e18);
        measured("withdraw");
        vm.stopPrank();
    }

    function test_slots() public {
        joinTrainer(0);
        measured("join, trainer");
        joinVerifier(0);
        measured("join, verifier");
        vm.prank(trainer(0));
        slots.announce(task, "http://trainer.example");
        measured("announce");
        vm.prank(trainer(0));
        slots.exit(task, Role.TRAINER, 0);
        measured("exit");
        slots.withdrawStake(task, Role.TRAINER, 0);
        measured("withdrawStake");
    }

    function test_evidence() public {
        TaskParams memory p = Params.demo(address(token), address(beacon));
        (p.auditRate, p.rounds) = (1 << 32, 1);
        task = list(p);
        joinAll();
        toSoft(1);
        vm.roll(view_(1).auditTarget + 1);
        advance(1);
        measured("advance, reading the audit beacon");
        uint256 seat = checker(1, 0);
        post(1, seat);
        measured("postEvidence");
        vm.prank(verifier(seat));
        rounds.reportHead(task, keccak256("head"));
        measured("reportHead, first");
        settle(1);
        tasks.finish(task);
        measured("finish");
        vault.flush(token);
        measured("flush");
    }
}
