// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITasks} from "../../contracts/interfaces/ITasks.sol";
import {TaskParams} from "../../contracts/libraries/Types.sol";
import {Params} from "./Params.sol";
import {World} from "./World.sol";

/// Every field of a task, wrong by one where it can be.
contract TaskRulesTest is World {
    TaskParams private p;

    function setUp() public override {
        deploy();
        fresh();
    }

    function fresh() private {
        TaskParams memory usual = Params.demo(address(token), address(beacon));
        p = usual;
    }

    /// The changed task is refused for `field`; afterwards it is a good one again.
    function refused(string memory field, string memory reason) private {
        vm.expectRevert(abi.encodeWithSelector(ITasks.Tasks_BadParameter.selector, field, reason));
        tasks.createTask(p, 1e30);
        fresh();
    }

    function test_identity_is_complete() public {
        p.token = address(0);
        refused("token", "zero");
        p.beacon = address(0);
        refused("beacon", "zero");
        p.spec = 0;
        refused("spec", "zero");
        p.genesis = 0;
        refused("genesis", "zero");
        p.numericsId = 0;
        refused("numericsId", "zero");
    }

    function test_slots_fit_their_bitmaps() public {
        p.maxQuota = 0;
        refused("maxQuota", "must be 1 in this version");
        p.maxQuota = 2;
        refused("maxQuota", "must be 1 in this version");
        p.shardSlots = 0;
        refused("shardSlots", "not in 1..64");
        p.shardSlots = 65;
        refused("shardSlots", "not in 1..64");
        p.trainerSlots = 0;
        refused("trainerSlots", "not in 1..shardSlots");
        p.trainerSlots = p.shardSlots + 1;
        refused("trainerSlots", "not in 1..shardSlots");
        p.verifierSeats = 0;
        refused("verifierSeats", "not in 1..256");
        p.verifierSeats = 257;
        refused("verifierSeats", "not in 1..256");
    }

    function test_committees_fit_the_seats() public {
        p.committee = 0;
        refused("committee", "not in 1..15");
        (p.committee, p.verifierSeats, p.minVerifierSeats) = (16, 20, 20);
        refused("committee", "not in 1..15");
        p.committee = 6;
        refused("committee", "more than verifierSeats");
        p.minVerifierSeats = 2;
        refused("minVerifierSeats", "below committee");
        p.minVerifierSeats = 6;
        refused("minVerifierSeats", "more than verifierSeats");
    }

    function test_time_does_not_overflow() public {
        p.rounds = 0;
        refused("rounds", "not in 1..2^32-3");
        p.rounds = type(uint32).max - 1;
        refused("rounds", "not in 1..2^32-3");
        p.startBlock = 1 << 47;
        refused("startBlock", "too far away");
    }

    function test_samples_can_be_drawn() public {
        p.segments = 0;
        refused("segments", "zero");
        p.segmentsPerChecker = 0;
        refused("segmentsPerChecker", "zero");
        p.segmentsPerChecker = 4;
        refused("segmentsPerChecker", "more than segments");
        p.groupsPerSegment = 0;
        refused("groupsPerSegment", "zero");
        p.groupsPerSegment = type(uint32).max / 3 + 1;
        refused("groupsPerSegment", "times segments overflows");
        p.rolloutsPerChecker = 5;
        refused("rolloutsPerChecker", "more than groupsPerSegment");
        (p.segments, p.segmentsPerChecker) = (65, 65);
        refused("segmentsPerChecker", "more than 64");
        (p.groupsPerSegment, p.rolloutsPerChecker) = (65, 65);
        refused("rolloutsPerChecker", "more than 64");
        p.auditRate = (1 << 32) + 1;
        refused("auditRate", "above 2^32");
    }

    function windowRefused(string memory field) private {
        refused(string.concat("windows.", field), "not in 1..1,000,000");
    }

    function test_no_window_is_empty_or_endless() public {
        p.windows.open = 0;
        windowRefused("open");
        p.windows.attest = 0;
        windowRefused("attest");
        p.windows.seal = 0;
        windowRefused("seal");
        p.windows.vote = 0;
        windowRefused("vote");
        p.windows.reveal = 1_000_001;
        windowRefused("reveal");
        p.windows.challenge = 0;
        windowRefused("challenge");
        p.windows.jcommit = 0;
        windowRefused("jcommit");
        p.windows.jreveal = 0;
        windowRefused("jreveal");
        p.windows.open = 2;
        refused("windows.open", "closes before the seed can be used");
        p.windows.challenge = 4;
        refused("windows.challenge", "closes before evidence can be posted");
    }

    function test_stakes_cover_slashes_and_bounties_are_small() public {
        p.money.price = 999_999;
        refused("money.price", "below 1e6 wei");
        p.money.trainerSlash = 0;
        refused("money.trainerStake", "slash is zero or more than the stake");
        p.money.trainerSlash = p.money.trainerStake + 1;
        refused("money.trainerStake", "slash is zero or more than the stake");
        p.money.verifierSlash = p.money.verifierStake + 1;
        refused("money.verifierStake", "slash is zero or more than the stake");
        p.money.trainerBountyCap = p.money.trainerSlash / 10 + 1;
        refused("money.trainerBountyCap", "more than a tenth of the slash");
        p.money.verifierBountyCap = p.money.verifierSlash / 10 + 1;
        refused("money.verifierBountyCap", "more than a tenth of the slash");
        p.money.cleared = p.money.challengeBond;
        refused("money.challengeBond", "not above money.cleared");
        p.money.cleared = 0;
        refused("money.cleared", "zero");
    }

    function test_work_is_paid_and_every_fine_can_be() public {
        p.money.checkFee = 0;
        refused("money.checkFee", "zero");
        p.money.attestFee = 0;
        refused("money.attestFee", "zero");
        p.money.jurorFee = 0;
        refused("money.jurorFee", "zero");
        p.money.missedDuty = 0;
        refused("money.missedDuty", "zero");
        p.money.unrevealed = p.money.missedDuty - 1;
        refused("money.unrevealed", "below money.missedDuty");
        p.money.withheld = 0;
        refused("money.withheld", "zero");
        p.money.unrevealed = p.money.verifierStake + 1;
        refused("money.unrevealed", "more than money.verifierStake");
        p.money.withheld = p.money.trainerStake + 1;
        refused("money.withheld", "more than money.trainerStake");
        (p.money.missedDuty, p.money.trainerStake, p.money.trainerSlash) = (0.1e18, 0.05e18, 0.05e18);
        (p.money.trainerBountyCap, p.money.withheld) = (0, 0.01e18);
        refused("money.missedDuty", "more than money.trainerStake");
    }

    function test_the_budget_covers_a_full_round() public {
        uint256 least = reserve(p, 4, 5);
        bytes memory refusal =
            abi.encodeWithSelector(ITasks.Tasks_BadParameter.selector, "budget", "below the reserve of one full round");
        vm.expectRevert(refusal);
        tasks.createTask(p, least - 1);
        vm.assertEq(list(p, least), 1, "accepted");
    }

    function test_the_limits_themselves_are_allowed() public {
        (p.shardSlots, p.trainerSlots, p.verifierSeats, p.committee) = (64, 64, 256, 15);
        (p.minVerifierSeats, p.rounds, p.startBlock) = (256, type(uint32).max - 2, (1 << 47) - 1);
        (p.segments, p.segmentsPerChecker, p.groupsPerSegment, p.rolloutsPerChecker) = (64, 64, 64, 64);
        (p.auditRate, p.windows.open, p.windows.challenge) = (1 << 32, 3, 1_000_000);
        vm.assertEq(list(p, reserve(p, 64, 256)), 1, "accepted");
    }
}
