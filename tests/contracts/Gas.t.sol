// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Check, Role, Ruling} from "../../contracts/libraries/Types.sol";
import {DrandBeacon} from "../../contracts/DrandBeacon.sol";
import {DrandSigner} from "./DrandSigner.sol";
import {Fixture} from "./Fixture.sol";

/// What one transaction of the demo's task costs. Each call is a transaction of its own: cold storage, base fee of 21,000.
/// forge-config: default.isolate = true
abstract contract Gas is Fixture {
    event log_named_uint(string key, uint256 value);

    function setUp() public virtual override {
        super.setUp();
        joinAll();
    }

    /// Prints what the last call cost and holds it to a limit.
    function measured(string memory name, uint256 limit) internal {
        uint256 used = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(name, used);
        vm.assertLe(used, limit, name);
    }

    /// A seat that is not the last of a set, whose call closes nothing.
    function first(uint256 set) internal pure returns (uint256) {
        return nth(set, 0);
    }
}

/// forge-config: default.isolate = true
contract GasFirstRoundTest is Gas {
    function setUp() public override {
        super.setUp();
        openRound(1);
        commit(1, 0);
    }

    function test_commit_first_use() public {
        commit(1, 1);
        measured("commit, first use of a position", 55_000);
    }

    function test_commit_closing() public {
        commit(1, 1);
        commit(1, 2);
        commit(1, 3);
        measured("commit, first use, closing OPEN", 120_000);
    }
}

/// forge-config: default.isolate = true
contract GasOpenTest is Gas {
    function test_open_first_round() public {
        advance(1);
        measured("advance, opening round 1", 800_000);
    }

    function test_commit_that_reads_the_seed() public {
        openRound(1);
        commit(1, 0);
        measured("commit, first of a task, drawing the attesters", 300_000);
    }
}

/// forge-config: default.isolate = true
contract GasCommitTest is Gas {
    function setUp() public override {
        super.setUp();
        toSoft(1);
        settle(1);
        openRound(2);
        commit(2, 0);
    }

    function test_commit_reused() public {
        commit(2, 1);
        measured("commit, reused position", 40_000);
    }
}

/// forge-config: default.isolate = true
contract GasAttestTest is Gas {
    function setUp() public override {
        super.setUp();
        openRound(1);
        commitAll(1);
    }

    function test_attest() public {
        attest(1, first(view_(1).attesters), 15);
        measured("attest", 60_000);
    }

    function test_attest_closing() public {
        attest(1, nth(view_(1).attesters, 0), 15);
        attest(1, nth(view_(1).attesters, 1), 15);
        measured("attest, closing ATTEST", 120_000);
    }
}

/// forge-config: default.isolate = true
contract GasVoteTest is Gas {
    function setUp() public override {
        super.setUp();
        toVote(1);
    }

    function test_vote() public {
        vote(1, checker(1, 0));
        measured("vote", 75_000);
    }

    function test_reveal() public {
        voteAll(1);
        reveal(1, checker(1, 0));
        measured("reveal, four marks", 180_000);
    }

    function test_reveal_with_a_challenge() public {
        plan(1, checker(1, 0), 0, Check.SEGMENT, segmentOf(1, checker(1, 0), 0));
        voteAll(1);
        reveal(1, checker(1, 0));
        measured("reveal, four marks and one challenge", 600_000);
    }

    function test_reveal_closing() public {
        voteAll(1);
        revealAll(1);
        measured("reveal, closing REVEAL", 400_000);
    }
}

/// forge-config: default.isolate = true
contract GasSettleTest is Gas {
    function setUp() public override {
        super.setUp();
        toSoft(1);
        vm.roll(view_(1).phaseEnd + 1);
    }

    function test_settlement() public {
        advance(1);
        measured("advance, settlement of a quiet round", 400_000);
    }

    function test_claims() public {
        rounds.poke(task, 1);
        claim(Role.TRAINER, 0, 1);
        measured("claim, trainer", 100_000);
        claim(Role.VERIFIER, checker(1, 0), 1);
        measured("claim, verifier", 120_000);
    }
}

/// forge-config: default.isolate = true
contract GasJuryTest is Gas {
    function setUp() public override {
        super.setUp();
        toVote(1);
        plan(1, checker(1, 0), 0, Check.UPDATE, 0);
        voteAll(1);
        revealAll(1);
    }

    function test_jury() public {
        uint8[] memory rulings = same(1, 1, Ruling.GUILTY_GROSS);
        uint256 jurors = docket(1, 1).jurors;
        jcommit(1, 1, nth(jurors, 0), rulings);
        measured("jcommit", 110_000);
        for (uint256 n = 1; n < 4; ++n) {
            jcommit(1, 1, nth(jurors, n), rulings);
        }
        jreveal(1, 1, nth(jurors, 0), rulings);
        measured("jreveal, one dispute", 120_000);
        for (uint256 n = 1; n < 4; ++n) {
            jreveal(1, 1, nth(jurors, n), rulings);
        }
        measured("jreveal, closing the docket with a slash", 900_000);
    }
}

/// forge-config: default.isolate = true
contract GasDrandTest is Gas, DrandSigner {
    function setUp() public override {}

    function test_post() public {
        DrandBeacon drand = new DrandBeacon(evmnetKey, 1_727_521_075, 3, 0, "evmnet");
        uint64 last = uint64(vm.parseJsonUintArray(json, ".evmnet_round")[5]);
        bytes memory signature = vm.parseJsonBytesArray(json, ".evmnet_signature")[5];
        vm.warp(drand.timeOf(last));
        drand.post(last, signature);
        measured("post, a round of drand", 250_000);
    }
}
