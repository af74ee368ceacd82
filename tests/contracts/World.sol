// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BlockhashBeacon} from "../../contracts/BlockhashBeacon.sol";
import {Court} from "../../contracts/Court.sol";
import {Rounds} from "../../contracts/Rounds.sol";
import {Slots} from "../../contracts/Slots.sol";
import {Tasks} from "../../contracts/Tasks.sol";
import {TestToken} from "../../contracts/TestToken.sol";
import {Vault} from "../../contracts/Vault.sol";
import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {Payout} from "../../contracts/libraries/Payout.sol";
import {Role, TaskParams} from "../../contracts/libraries/Types.sol";
import {Params} from "./Params.sol";
import {Test} from "./Test.sol";

/// The contracts as they are deployed, and the people of one task.
abstract contract World is Test {
    uint256 internal constant CHAIN = 32; // secrets in a verifier's chain
    address internal constant INITIATOR = address(0x1111);
    address internal constant KEEPER = address(0x2222);
    address internal constant STRANGER = address(0x3333);
    uint256 internal constant PURSE = 40e18; // what every owner has free before it joins

    BlockhashBeacon internal beacon;
    TestToken internal token;
    Vault internal vault;
    Tasks internal tasks;
    Slots internal slots;
    Rounds internal rounds;
    Court internal court;
    address[5] internal core;
    uint256 internal task;

    function setUp() public virtual {
        deploy();
        task = list(Params.demo(address(token), address(beacon)));
    }

    function deploy() internal {
        vm.roll(1_000);
        token = new TestToken();
        uint256 nonce = vm.getNonce(address(this));
        for (uint256 i; i < 5; ++i) {
            core[i] = vm.computeCreateAddress(address(this), nonce + i);
        }
        vault = new Vault(core);
        tasks = new Tasks(core);
        slots = new Slots(core);
        rounds = new Rounds(core);
        court = new Court(core);
        beacon = new BlockhashBeacon();
    }

    /// A task with budget for all of its rounds.
    function list(TaskParams memory p) internal returns (uint256) {
        return list(p, p.rounds * reserve(p, p.trainerSlots, p.verifierSeats));
    }

    function list(TaskParams memory p, uint256 budget) internal returns (uint256) {
        give(INITIATOR, budget + p.money.initiatorBond);
        vm.prank(INITIATOR);
        return tasks.createTask(p, budget);
    }

    function reserve(TaskParams memory p, uint256 trainers, uint256 verifiers) internal pure returns (uint256) {
        return Payout.reserve(p.money, trainers, verifiers, p.committee);
    }

    /// Puts fresh tokens into somebody's free balance.
    function give(address who, uint256 amount) internal {
        token.faucet(who, amount);
        vm.startPrank(who);
        token.approve(address(vault), amount);
        vault.deposit(token, amount);
        vm.stopPrank();
    }

    // --- people: position i of a role has an owner (cold) and an operator (hot) ---

    function trainer(uint256 i) internal pure returns (address) {
        return address(uint160(0x7000 + i));
    }

    function trainerOwner(uint256 i) internal pure returns (address) {
        return address(uint160(0x7700 + i));
    }

    function verifier(uint256 i) internal pure returns (address) {
        return address(uint160(0x5000 + i));
    }

    function verifierOwner(uint256 i) internal pure returns (address) {
        return address(uint160(0x5500 + i));
    }

    /// The secret that verifier i opens `index`-th; index 0 is the tip it registers.
    function secret(uint256 i, uint256 index) internal pure returns (bytes32 s) {
        s = keccak256(abi.encode("chain", i));
        for (uint256 step = CHAIN; step > index; --step) {
            s = keccak256(abi.encode(s));
        }
    }

    function joinTrainer(uint256 i) internal returns (uint8) {
        give(trainerOwner(i), PURSE);
        vm.prank(trainerOwner(i));
        return slots.join(task, Role.TRAINER, 1, trainer(i), 0, Params.NUMERICS, "http://trainer.example");
    }

    function joinVerifier(uint256 i) internal returns (uint8) {
        give(verifierOwner(i), PURSE);
        bytes32 tip = secret(i, 0);
        vm.prank(verifierOwner(i));
        return slots.join(task, Role.VERIFIER, 1, verifier(i), tip, Params.NUMERICS, "");
    }

    function joinAll() internal {
        for (uint256 i; i < Params.TRAINERS; ++i) {
            joinTrainer(i);
        }
        for (uint256 i; i < Params.VERIFIERS; ++i) {
            joinVerifier(i);
        }
    }

    // --- money ---

    function free(address who) internal view returns (uint256) {
        return vault.freeOf(address(token), who);
    }

    function held(bytes32 account) internal view returns (uint256) {
        return vault.balanceOf(address(token), account);
    }

    function stakeOf(Role role, uint256 position) internal view returns (uint256) {
        return held(Accounts.stake(task, role, uint8(position)));
    }

    function burned() internal view returns (uint256) {
        return held(Accounts.BURNED);
    }
}
