// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISlots} from "../../contracts/interfaces/ISlots.sol";
import {ITasks} from "../../contracts/interfaces/ITasks.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {Role, Slot, TaskParams} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Params} from "./Params.sol";

contract SlotsJoinTest is Fixture {
    bytes32 private constant TIP = bytes32(uint256(3));

    function join(Role role, uint16 quota, address operator, bytes32 tip, bytes32 class, string memory url) private {
        vm.prank(STRANGER);
        slots.join(task, role, quota, operator, tip, class, url);
    }

    function badSecret() private view returns (bytes memory) {
        return abi.encodeWithSelector(ISlots.Slots_BadSecret.selector, task, 0);
    }

    function test_joining_takes_the_stake_and_seats_the_operator() public {
        vm.assertEq(joinTrainer(0), 0, "first position");
        vm.assertEq(joinTrainer(1), 1, "second position");
        vm.assertEq(joinVerifier(0), 0, "verifiers count apart");
        vm.assertEq(stakeOf(Role.TRAINER, 1), 10e18, "stake");
        vm.assertEq(free(trainerOwner(1)), PURSE - 10e18, "purse");
        Slot memory s = slots.slot(task, Role.TRAINER, 1);
        vm.assertEq(s.owner, trainerOwner(1), "owner");
        vm.assertEq(s.operator, trainer(1), "operator");
        vm.assertEq(s.activeFrom, 1, "from round 1");
        vm.assertEq(s.activeTo, type(uint32).max, "stays");
        (Role role, uint8 position) = slots.slotOf(task, verifier(0));
        vm.assertTrue(role == Role.VERIFIER && position == 0, "slot of the operator");
        vm.assertEq(slots.count(task, Role.TRAINER), 2, "count");
        (uint64 trainers, uint256 verifiers) = slots.ready(task);
        vm.assertTrue(trainers == 3 && verifiers == 1, "ready");
    }

    function test_the_stake_must_be_there() public {
        bytes memory refusal =
            abi.encodeWithSelector(IVault.Vault_Insufficient.selector, Accounts.free(STRANGER), 0, 10e18);
        vm.expectRevert(refusal);
        join(Role.TRAINER, 1, trainer(0), 0, Params.NUMERICS, "");
    }

    function test_the_quota_is_1_in_this_version() public {
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_BadQuota.selector, 0, 1));
        join(Role.TRAINER, 0, trainer(0), 0, Params.NUMERICS, "");
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_BadQuota.selector, 2, 1));
        join(Role.TRAINER, 2, trainer(0), 0, Params.NUMERICS, "");
    }

    function test_another_numerics_class_is_refused() public {
        bytes32 other = bytes32(uint256(8));
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_WrongNumerics.selector, other, Params.NUMERICS));
        join(Role.TRAINER, 1, trainer(0), 0, other, "");
    }

    function test_an_operator_sits_once_in_a_task_whatever_its_role() public {
        joinTrainer(0);
        bytes memory refusal = abi.encodeWithSelector(ISlots.Slots_OperatorTaken.selector, task, trainer(0));
        vm.expectRevert(refusal);
        join(Role.TRAINER, 1, trainer(0), 0, Params.NUMERICS, "");
        vm.expectRevert(refusal);
        join(Role.VERIFIER, 1, trainer(0), TIP, Params.NUMERICS, "");
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_OperatorTaken.selector, task, address(0)));
        join(Role.TRAINER, 1, address(0), 0, Params.NUMERICS, "");
    }

    function test_verifiers_bring_a_secret_and_trainers_none() public {
        vm.expectRevert(badSecret());
        join(Role.VERIFIER, 1, verifier(0), 0, Params.NUMERICS, "");
        vm.expectRevert(badSecret());
        join(Role.TRAINER, 1, trainer(0), TIP, Params.NUMERICS, "");
    }

    function test_endpoints_are_short_and_verifiers_publish_none() public {
        give(STRANGER, 10e18);
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_BadEndpoint.selector, 1));
        join(Role.VERIFIER, 1, verifier(0), TIP, Params.NUMERICS, "x");
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_BadEndpoint.selector, 257));
        join(Role.TRAINER, 1, trainer(0), 0, Params.NUMERICS, string(new bytes(257)));
        join(Role.TRAINER, 1, trainer(0), 0, Params.NUMERICS, string(new bytes(256)));
    }

    function test_trainers_find_no_place_beyond_the_shard() public {
        for (uint256 i; i < 8; ++i) {
            joinTrainer(i);
        }
        give(STRANGER, 10e18);
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_Full.selector, task, Role.TRAINER, 8));
        join(Role.TRAINER, 1, trainer(8), 0, Params.NUMERICS, "");
    }

    function test_the_257th_verifier_finds_no_place() public {
        for (uint256 i; i < 256; ++i) {
            give(STRANGER, 10e18);
            join(Role.VERIFIER, 1, address(uint160(0x9000 + i)), TIP, Params.NUMERICS, "");
        }
        (, uint8 position) = slots.slotOf(task, address(uint160(0x9000 + 255)));
        vm.assertEq(position, 255, "last position");
        give(STRANGER, 10e18);
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_Full.selector, task, Role.VERIFIER, 256));
        join(Role.VERIFIER, 1, verifier(0), TIP, Params.NUMERICS, "");
    }

    function test_closed_and_unknown_tasks_take_nobody() public {
        vm.prank(INITIATOR);
        tasks.cancel(task);
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_TaskClosed.selector, task));
        join(Role.TRAINER, 1, trainer(0), 0, Params.NUMERICS, "");
        task = 99;
        vm.expectRevert(abi.encodeWithSelector(ITasks.Tasks_UnknownTask.selector, 99));
        join(Role.TRAINER, 1, trainer(0), 0, Params.NUMERICS, "");
    }

    function test_nobody_joins_in_the_last_round() public {
        TaskParams memory p = Params.demo(address(token), address(beacon));
        p.rounds = 1;
        task = list(p);
        joinAll();
        openRound(1);
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_TaskClosed.selector, task));
        join(Role.TRAINER, 1, trainer(9), 0, Params.NUMERICS, "");
    }

    function test_who_joins_in_a_round_is_active_from_the_next() public {
        joinAll();
        openRound(1);
        joinTrainer(4);
        vm.assertEq(view_(1).trainers, 15, "frozen");
        vm.assertEq(slots.slot(task, Role.TRAINER, 4).activeFrom, 2, "from round 2");
        commitAll(1);
        attestAll(1);
        seal(1);
        voteAll(1);
        revealAll(1);
        openRound(2);
        vm.assertEq(view_(2).trainers, 31, "and in");
    }

    // --- endpoints ---

    function test_operator_and_owner_announce_endpoints_and_nobody_else() public {
        joinTrainer(0);
        joinVerifier(0);
        vm.expectEmit();
        emit ISlots.Endpoint(task, Role.TRAINER, 0, "http://a");
        vm.prank(trainer(0));
        slots.announce(task, "http://a");
        vm.expectEmit();
        emit ISlots.Endpoint(task, Role.TRAINER, 0, "http://b");
        vm.prank(trainerOwner(0));
        slots.announce(task, "http://b");
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_NoSlot.selector, task, verifier(0)));
        vm.prank(verifier(0));
        slots.announce(task, "http://c");
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_BadEndpoint.selector, 257));
        vm.prank(trainer(0));
        slots.announce(task, string(new bytes(257)));
    }
}
