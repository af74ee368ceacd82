// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Slots} from "../../contracts/Slots.sol";
import {Tasks} from "../../contracts/Tasks.sol";
import {TestToken} from "../../contracts/TestToken.sol";
import {Vault} from "../../contracts/Vault.sol";
import {Role, TaskParams} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Params} from "./Params.sol";

/// Publishes tasks of 64 trainers and 256 verifiers and takes all of their slots, as many as it is told.
contract Crowd {
    uint256 private constant TRAINERS = 64;
    uint256 private constant SEATS = 320; // with 256 verifiers

    Slots private slots;
    Tasks private tasks;
    uint256 private task;
    uint256 public size;

    constructor(TestToken token, Vault vault, Tasks tasks_, Slots slots_) {
        (tasks, slots) = (tasks_, slots_);
        token.faucet(address(this), 1 << 100);
        token.approve(address(vault), 1 << 100);
        vault.deposit(token, 1 << 100);
    }

    function grow(uint256 slots_, TaskParams calldata p, uint256 budget) external {
        for (; size < slots_; ++size) {
            uint256 seat = size % SEATS;
            if (seat == 0) task = tasks.createTask(p, budget);
            address operator = address(uint160(0x100000 + size));
            if (seat < TRAINERS) slots.join(task, Role.TRAINER, 1, operator, 0, p.numericsId, "http://other.example");
            else slots.join(task, Role.VERIFIER, 1, operator, bytes32(size), p.numericsId, "");
        }
    }
}

/// What a round costs, while other tasks of the same deployment grow to 10,000 slots.
/// forge-config: default.isolate = true
contract GasGrowthTest is Fixture {
    string[6] private names = ["commit", "attest", "vote", "reveal", "settlement", "claim"];

    Crowd private crowd;

    function setUp() public override {
        super.setUp();
        joinAll();
        crowd = new Crowd(token, vault, tasks, slots);
    }

    function used() private view returns (uint256) {
        return vm.lastCallGas().gasTotalUsed;
    }

    /// Plays a round and writes down what its calls cost.
    function play() private returns (uint256[6] memory gas) {
        openRound(1);
        commit(1, 0);
        commit(1, 1);
        gas[0] = used();
        commitAll(1);
        uint256 attester = nth(view_(1).attesters, 0);
        attest(1, attester, 15);
        gas[1] = used();
        attestAll(1);
        seal(1);
        uint256 seat = checker(1, 0);
        vote(1, seat);
        gas[2] = used();
        voteAll(1);
        reveal(1, seat);
        gas[3] = used();
        revealAll(1);
        vm.roll(view_(1).phaseEnd + 1);
        advance(1);
        gas[4] = used();
        claim(Role.VERIFIER, seat, 1);
        gas[5] = used();
    }

    function test_no_call_costs_more_when_other_tasks_have_10_to_10000_slots() public {
        TaskParams memory p = Params.demo(address(token), address(beacon));
        (p.trainerSlots, p.shardSlots, p.verifierSeats) = (64, 64, 256);
        uint256 budget = reserve(p, 64, 256);
        uint256 start = vm.snapshotState();
        uint256[6] memory alone = play();
        vm.revertToState(start);
        for (uint256 size = 10; size <= 10_000; size *= 10) {
            crowd.grow(size, p, budget);
            vm.assertEq(crowd.size(), size, "slots elsewhere");
            uint256 here = vm.snapshotState();
            uint256[6] memory crowded = play();
            for (uint256 i; i < 6; ++i) {
                vm.assertEq(crowded[i], alone[i], names[i]);
            }
            vm.revertToState(here);
        }
    }
}
