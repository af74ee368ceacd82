// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsEvents} from "../../contracts/interfaces/IRounds.sol";
import {Ballot, Phase, Role} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Params} from "./Params.sol";

/// A verifier whose owner trains as well.
contract RoundsOwnTest is Fixture {
    function setUp() public override {
        super.setUp();
        for (uint256 i; i < 4; ++i) {
            joinTrainer(i);
        }
        for (uint256 i; i < 5; ++i) {
            joinVerifier(i);
            vm.prank(verifierOwner(i));
            if (i < 3) slots.join(task, Role.TRAINER, 1, trainer(4 + i), 0, Params.NUMERICS, "");
        }
        vm.roll(tasks.params(task).startBlock);
        toVote(1);
    }

    function test_a_mark_on_ones_own_contribution_is_refused() public {
        uint256 seat = checker(1, 0);
        vm.assertEq(slots.ownTrainers(task, uint8(seat)), 16 << seat, "its own");
        Ballot memory b = honest(1, seat);
        b.marks |= uint128(1) << uint128(2 * (4 + seat));
        planned[seat] = abi.encode(b);
        voteAll(1);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_BadMarks.selector, b.marks));
        reveal(1, seat);
    }

    function test_others_accept_it() public {
        voteAll(1);
        revealAll(1);
        assertPhase(1, Phase.CHALLENGE);
        vm.assertEq(view_(1).accepted, 127, "accepted");
    }
}
