// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DrandBeacon} from "../../contracts/DrandBeacon.sol";
import {Phase, Role, TaskParams} from "../../contracts/libraries/Types.sol";
import {DrandSigner} from "./DrandSigner.sol";
import {Fixture} from "./Fixture.sol";
import {Params} from "./Params.sol";

/// Rounds whose beacons are drand's, on a chain with a block every 12 seconds. Everybody is audited.
contract RoundsDrandTest is Fixture, DrandSigner {
    DrandBeacon private drand;

    function setUp() public override {
        deploy();
        vm.warp(1_800_000_000);
        drand = new DrandBeacon(key, 1_727_521_075, 3, 0, "tests");
        TaskParams memory p = Params.demo(address(token), address(drand));
        p.auditRate = 1 << 32;
        task = list(p);
        joinAll();
    }

    function pass(uint256 blocks) private {
        vm.roll(block.number + blocks);
        vm.warp(block.timestamp + 12 * blocks);
    }

    /// Waits for a round of drand and posts it; `late` blocks after it could have been.
    function publish(uint64 target, uint256 late) private {
        while (block.timestamp < drand.timeOf(target)) {
            pass(1);
        }
        pass(late);
        drand.post(target, sign(target));
    }

    function silence() private {
        pass(drand.PATIENCE() / 12 + 4);
    }

    function toSeal() private {
        advance(1);
        publish(view_(1).seedTarget, 0);
        commitAll(1);
        attestAll(1);
        assertPhase(1, Phase.SEAL);
    }

    function toChallenge() private {
        toSeal();
        publish(view_(1).sealTarget, 0);
        advance(1);
        voteAll(1);
        revealAll(1);
        assertPhase(1, Phase.CHALLENGE);
    }

    function postEvidence() private {
        for (uint256 i; i < 256; ++i) {
            if (has(view_(1).revealed, i)) post(1, i);
        }
    }

    function test_a_round_runs_from_open_to_final_on_three_posted_values() public {
        toChallenge();
        publish(view_(1).auditTarget, 0);
        advance(1);
        postEvidence();
        settle(1);
        vm.assertEq(view_(1).paid, 15, "everybody is paid");
        vm.assertEq(view_(1).seed, sha256(sign(view_(1).seedTarget)), "seed");
        vm.assertEq(view_(1).seal, sha256(sign(view_(1).sealTarget)), "seal");
        vm.assertEq(view_(1).audit, sha256(sign(view_(1).auditTarget)), "audit");
        vm.assertEq(burned(), 0, "nobody is fined");
    }

    function test_targets_are_fixed_before_anybody_can_know_them() public {
        advance(1);
        assertUnknown(view_(1).seedTarget);
        publish(view_(1).seedTarget, 0);
        commitAll(1);
        attestAll(1);
        assertUnknown(view_(1).sealTarget);
        publish(view_(1).sealTarget, 0);
        advance(1);
        voteAll(1);
        revealAll(1);
        assertUnknown(view_(1).auditTarget);
    }

    function assertUnknown(uint64 target) private view {
        vm.assertTrue(drand.timeOf(target) > block.timestamp + drand.MARGIN(), "in the future");
    }

    function test_a_late_call_still_fixes_a_target_in_the_future_and_leaves_the_whole_vote() public {
        advance(1);
        publish(view_(1).seedTarget, 0);
        commitAll(1);
        attest(1, first(view_(1).attesters), 15);
        attest(1, nth(view_(1).attesters, 1), 7);
        pass(100);
        rounds.poke(task, 1);
        assertPhase(1, Phase.SEAL);
        assertUnknown(view_(1).sealTarget);
        publish(view_(1).sealTarget, 0);
        advance(1);
        vm.assertEq(view_(1).phaseEnd, block.number + 30, "vote");
    }

    function first(uint256 set) private pure returns (uint256) {
        return nth(set, 0);
    }

    function test_work_begins_when_the_seed_is_posted() public {
        advance(1);
        publish(view_(1).seedTarget, 100);
        uint256 posted = block.number;
        pass(5);
        commit(1, 0);
        vm.assertEq(view_(1).phaseEnd, posted - 1 + 40, "the window is as long as ever");
        vm.roll(posted - 1 + 40);
        commit(1, 1);
        vm.assertEq(burned(), 0, "nobody is fined");
    }

    function test_without_a_seed_the_round_is_void_and_nobody_is_fined() public {
        uint256 before = escrow();
        advance(1);
        silence();
        rounds.poke(task, 1);
        assertPhase(1, Phase.VOID);
        vm.assertEq(burned(), 0, "fined");
        vm.assertEq(escrow(), before - Params.money().tip, "all but the opener's tip is back");
        advance(2);
        assertPhase(2, Phase.OPEN);
    }

    function test_the_vote_counts_from_the_block_in_which_the_seal_is_posted() public {
        toSeal();
        publish(view_(1).sealTarget, 200);
        uint256 posted = block.number;
        pass(7);
        advance(1);
        vm.assertEq(view_(1).phaseEnd, posted + 30, "whoever reads it, and when");
        voteAll(1);
        revealAll(1);
        vm.assertEq(view_(1).accepted, 15, "accepted");
    }

    function test_without_a_seal_the_round_is_void() public {
        toSeal();
        silence();
        advance(1);
        assertPhase(1, Phase.VOID);
        vm.assertEq(view_(1).paid, 0, "paid");
        vm.assertEq(burned(), 0, "fined");
    }

    function test_evidence_can_be_posted_for_as_long_after_a_late_audit() public {
        toChallenge();
        publish(view_(1).auditTarget, 100);
        uint256 posted = block.number;
        vm.assertTrue(posted > view_(1).phaseEnd, "the window seemed over");
        pass(1);
        rounds.poke(task, 1);
        postEvidence();
        vm.assertEq(view_(1).phaseEnd, posted + 8, "as long as after any audit");
        settle(1);
        vm.assertEq(slots.convicted(task, Role.VERIFIER), 0, "nobody is slashed");
    }

    function test_who_stays_silent_after_a_late_audit_is_slashed() public {
        toChallenge();
        publish(view_(1).auditTarget, 100);
        pass(9);
        rounds.poke(task, 1);
        vm.assertEq(slots.convicted(task, Role.VERIFIER), view_(1).revealed, "slashed");
    }

    function test_without_an_audit_beacon_nobody_is_audited() public {
        toChallenge();
        silence();
        rounds.poke(task, 1);
        assertPhase(1, Phase.FINAL);
        vm.assertEq(slots.convicted(task, Role.VERIFIER), 0, "slashed");
        vm.assertEq(view_(1).paid, 15, "paid");
    }
}
