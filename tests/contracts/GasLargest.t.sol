// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Role} from "../../contracts/libraries/Types.sol";
import {Gas} from "./Gas.t.sol";

/// The largest task there can be: 64 trainers, 256 verifiers, committees of 15, whose seats fill up to four words.
/// forge-config: default.isolate = true
contract GasLargestTest is Gas {
    function setUp() public override {
        publish(256, 15);
        warmUp();
        openRound(3);
        commitAll(3);
    }

    function test_calls_of_the_largest_task() public {
        attest(3, nth(view_(3).attesters, 14), type(uint64).max);
        measured("largest: attest");
        attestAll(3);
        seal(3);
        uint256 last = checker(3, 14);
        uint32[] memory numbers = new uint32[](1);
        numbers[0] = 3;
        vote(3, last);
        measured("largest: vote");
        voteAll(3);
        bytes memory call_ = revealing(3, last);
        revealAs(last, call_);
        measured("largest: reveal, 64 marks, first report of a version");
        revealAll(3);
        vm.roll(view_(3).phaseEnd + 1);
        advance(3);
        measured("largest: advance, settling a quiet round");
        rounds.claim(task, Role.VERIFIER, uint8(last), numbers);
        measured("largest: claim, verifier");
    }
}
