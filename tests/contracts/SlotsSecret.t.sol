// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISlots} from "../../contracts/interfaces/ISlots.sol";
import {Role} from "../../contracts/libraries/Types.sol";
import {World} from "./World.sol";
import {Params} from "./Params.sol";

/// A verifier's chain of secrets.
contract SlotsSecretTest is World {
    function setUp() public override {
        super.setUp();
        joinVerifier(0);
    }

    function open(uint32 round, bytes32 preimage) private {
        vm.prank(address(rounds));
        slots.openSecret(task, 0, round, preimage);
    }

    function bad() private view returns (bytes memory) {
        return abi.encodeWithSelector(ISlots.Slots_BadSecret.selector, task, 0);
    }

    function test_each_round_opens_its_own_link() public {
        open(1, secret(0, 1));
        open(2, secret(0, 2));
        vm.assertEq(slots.slot(task, Role.VERIFIER, 0).secret, secret(0, 2), "last opened");
        vm.assertEq(slots.slot(task, Role.VERIFIER, 0).secretsOpened, 2, "count");
    }

    function test_rounds_that_were_missed_do_not_shift_the_chain() public {
        open(1, secret(0, 1));
        open(7, secret(0, 7));
        vm.expectRevert(bad());
        open(8, secret(0, 9));
    }

    function test_a_secret_of_another_round_or_person_is_refused() public {
        bytes32 wrong = secret(0, 2);
        vm.expectRevert(bad());
        open(1, wrong);
        wrong = secret(1, 1);
        vm.expectRevert(bad());
        open(1, wrong);
        open(1, secret(0, 1));
        wrong = secret(0, 1);
        vm.expectRevert(bad());
        open(1, wrong);
    }

    function test_the_chain_is_walked_for_256_steps_and_no_further() public {
        bytes32 top = keccak256("far");
        bytes32 tip = top;
        for (uint256 i; i < 257; ++i) {
            tip = keccak256(abi.encode(tip));
        }
        give(verifierOwner(1), PURSE);
        vm.prank(verifierOwner(1));
        slots.join(task, Role.VERIFIER, 1, verifier(1), tip, Params.NUMERICS, "");
        vm.startPrank(address(rounds));
        vm.expectRevert(abi.encodeWithSelector(ISlots.Slots_BadSecret.selector, task, 1));
        slots.openSecret(task, 1, 257, top);
        slots.openSecret(task, 1, 256, keccak256(abi.encode(top)));
        slots.openSecret(task, 1, 257, top);
    }
}
