// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Check, Role, Ruling, TaskParams} from "../../contracts/libraries/Types.sol";
import {DrandBeacon} from "../../contracts/DrandBeacon.sol";
import {DrandSigner} from "./DrandSigner.sol";
import {Fixture} from "./Fixture.sol";
import {Params} from "./Params.sol";

/// What one transaction costs: docs/gas.md. Each call is a transaction of its own, so storage is cold and the 21,000 are in.
/// A full shard of 64 trainers and five verifiers, committees of three.
/// forge-config: default.isolate = true
abstract contract Gas is Fixture {
    // Together what the design allows a quiet ballot.
    uint256 internal constant VOTE = 42_000;
    uint256 internal constant REVEAL = 120_000 - VOTE;

    function setUp() public virtual override {
        publish(Params.VERIFIERS, 3);
    }

    function publish(uint16 verifiers, uint16 committee) internal {
        deploy();
        TaskParams memory p = Params.demo(address(token), address(beacon));
        (p.trainerSlots, p.shardSlots) = (64, 64);
        (p.verifierSeats, p.minVerifierSeats, p.committee) = (verifiers, committee, committee);
        task = list(p);
        for (uint256 i; i < 64; ++i) {
            joinTrainer(i);
        }
        for (uint256 i; i < verifiers; ++i) {
            joinVerifier(i);
        }
    }

    /// Rounds 1 and 2, settled and paid.
    function warmUp() internal {
        for (uint32 r = 1; r <= 2; ++r) {
            toSoft(r);
            settle(r);
            claimAll(r);
        }
    }

    /// Writes down what the last call cost; scripts/gas.py compares it with the committed figure.
    function measured(string memory name) internal returns (uint256) {
        return vm.snapshotGasLastCall("gas", name);
    }

    /// And holds it to the design's limit.
    function measured(string memory name, uint256 limit) internal {
        vm.assertLe(measured(name), limit, name);
    }

    /// What a seat reveals, encoded: nothing but the call itself may run between it and its measurement.
    function revealing(uint32 r, uint256 seat) internal view returns (bytes memory) {
        return abi.encodeCall(rounds.reveal, (task, r, ballot(r, seat)));
    }

    function revealAs(uint256 seat, bytes memory call_) internal {
        vm.prank(verifier(seat));
        (bool fine,) = address(rounds).call(call_);
        vm.assertTrue(fine, "revealed");
    }
}

/// forge-config: default.isolate = true
contract GasFirstRoundTest is Gas {
    function test_first_use_of_words() public {
        advance(1);
        measured("advance, opening round 1");
        vm.roll(view_(1).seedTarget + 1);
        commit(1, 0);
        commit(1, 1);
        measured("commit, first of a position", 55_000);
        commitAll(1);
        attestAll(1);
        seal(1);
        uint256 seat = checker(1, 0);
        bytes memory call_ = revealing(1, seat);
        vote(1, seat);
        measured("vote, round 1", VOTE);
        voteAll(1);
        revealAs(seat, call_);
        measured("reveal, 64 marks, round 1", REVEAL);
    }
}

/// forge-config: default.isolate = true
contract GasOpenTest is Gas {
    function setUp() public override {
        super.setUp();
        warmUp();
    }

    function test_open() public {
        advance(3);
        measured("advance, opening a round");
        vm.roll(view_(3).seedTarget + 1);
        commit(3, 0);
        measured("commit, first of a round (reads the seed)");
        commit(3, 1);
        measured("commit", 40_000);
        for (uint256 i = 2; i < 64; ++i) {
            commit(3, i);
        }
        measured("commit, last of a round (opens ATTEST)");
    }
}

/// forge-config: default.isolate = true
contract GasAttestTest is Gas {
    function setUp() public override {
        super.setUp();
        warmUp();
        openRound(3);
        commitAll(3);
    }

    function test_attest() public {
        uint256[3] memory seats = [nth(view_(3).attesters, 0), nth(view_(3).attesters, 1), 0];
        attest(3, seats[0], type(uint64).max);
        measured("attest", 60_000);
        attest(3, seats[1], type(uint64).max);
        measured("attest, last of a round (opens SEAL)");
        vm.roll(view_(3).sealTarget + 1);
        advance(3);
        measured("advance, reading the seal (opens VOTE)");
    }
}

/// forge-config: default.isolate = true
contract GasVoteTest is Gas {
    uint256[3] private seats;

    function setUp() public override {
        super.setUp();
        warmUp();
        toVote(3);
        for (uint256 n; n < 3; ++n) {
            seats[n] = checker(3, n);
        }
    }

    function test_vote_and_reveal() public {
        bytes[3] memory calls;
        for (uint256 n; n < 3; ++n) {
            calls[n] = revealing(3, seats[n]);
        }
        vote(3, seats[0]);
        measured("vote", VOTE);
        vote(3, seats[1]);
        vote(3, seats[2]);
        measured("vote, last of a round (opens REVEAL)");
        revealAs(seats[0], calls[0]);
        measured("reveal, 64 marks, first report of a version", REVEAL);
        revealAs(seats[1], calls[1]);
        measured("reveal, 64 marks, recording the version", REVEAL);
        revealAs(seats[2], calls[2]);
        measured("reveal, 64 marks, last of a round (SOFT)");
    }

    function test_reveal_with_a_challenge() public {
        plan(3, seats[0], 0, Check.SEGMENT, segmentOf(3, seats[0], 0));
        voteAll(3);
        bytes memory call_ = revealing(3, seats[0]);
        revealAs(seats[0], call_);
        measured("reveal, 63 marks and one challenge");
    }
}

/// forge-config: default.isolate = true
contract GasSettleTest is Gas {
    function setUp() public override {
        super.setUp();
        warmUp();
        toSoft(3);
        vm.roll(view_(3).phaseEnd + 1);
    }

    function test_settlement() public {
        advance(3);
        measured("advance, settling a quiet round", 200_000);
    }
}

/// forge-config: default.isolate = true
contract GasClaimTest is Gas {
    function setUp() public override {
        super.setUp();
        for (uint32 r = 1; r <= 3; ++r) {
            toSoft(r);
            settle(r);
        }
    }

    function rounds_(uint32 n) private pure returns (uint32[] memory numbers) {
        numbers = new uint32[](n);
        for (uint32 i; i < n; ++i) {
            numbers[i] = i + 1;
        }
    }

    function test_claim_of_a_trainer() public {
        rounds.claim(task, Role.TRAINER, 0, rounds_(1));
        measured("claim, trainer, one round", 60_000);
        rounds.claim(task, Role.TRAINER, 1, rounds_(3));
        measured("claim, trainer, three rounds", 60_000 + 2 * 8_000);
    }

    function test_claim_of_a_verifier() public {
        uint256 seat_ = nth(view_(1).checkers, 0);
        rounds.claim(task, Role.VERIFIER, uint8(seat_), rounds_(1));
        measured("claim, verifier, one round", 60_000);
        seat_ = nth(view_(1).checkers, 1);
        rounds.claim(task, Role.VERIFIER, uint8(seat_), rounds_(3));
        measured("claim, verifier, three rounds", 60_000 + 2 * 8_000);
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
        measured("jcommit");
        for (uint256 n = 1; n < 4; ++n) {
            jcommit(1, 1, nth(jurors, n), rulings);
        }
        jreveal(1, 1, nth(jurors, 0), rulings);
        measured("jreveal, one dispute");
        for (uint256 n = 1; n < 4; ++n) {
            jreveal(1, 1, nth(jurors, n), rulings);
        }
        measured("jreveal, closing the docket with a slash");
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
