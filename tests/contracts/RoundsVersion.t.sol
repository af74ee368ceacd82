// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundsEvents} from "../../contracts/interfaces/IRounds.sol";
import {Ballot, Phase, TaskParams} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Params} from "./Params.sol";

contract RoundsVersionTest is Fixture {
    bytes32 private constant FIRST = keccak256(abi.encode("version", uint32(1)));
    bytes32 private constant HEAD = keccak256("head");

    function setUp() public override {
        deploy();
        TaskParams memory p = Params.demo(address(token), address(beacon));
        p.rounds = 2;
        task = list(p);
        joinAll();
        toSoft(1);
    }

    function report(uint256 seat, bytes32 version) private {
        vm.prank(verifier(seat));
        rounds.reportHead(task, version);
    }

    function differ(uint256 seat) private {
        Ballot memory b = honest(2, seat);
        b.previousVersion = keccak256("something else");
        planned[seat] = abi.encode(b);
    }

    function test_two_of_three_reveals_record_the_version_of_the_round_before() public {
        toVote(2);
        differ(checker(2, 0));
        voteAll(2);
        reveal(2, checker(2, 0));
        reveal(2, checker(2, 1));
        vm.assertEq(view_(1).version, 0, "one of each");
        vm.expectEmit();
        emit IRoundsEvents.VersionRecorded(task, 1, FIRST);
        reveal(2, checker(2, 2));
        vm.assertEq(view_(1).version, FIRST, "recorded");
    }

    function test_reports_that_disagree_record_nothing() public {
        toVote(2);
        differ(checker(2, 0));
        Ballot memory b = honest(2, checker(2, 1));
        b.previousVersion = 0;
        planned[checker(2, 1)] = abi.encode(b);
        voteAll(2);
        revealAll(2);
        vm.assertEq(view_(1).version, 0, "none");
        vm.assertTrue(view_(2).accepted == 15, "which stops nothing");
    }

    function test_the_word_that_stands_for_no_report_is_no_report() public {
        toVote(2);
        for (uint256 n; n < 2; ++n) {
            Ballot memory b = honest(2, checker(2, n));
            b.previousVersion = bytes32(uint256(1));
            planned[checker(2, n)] = abi.encode(b);
        }
        voteAll(2);
        revealAll(2);
        vm.assertEq(view_(1).version, 0, "one report is not enough");
        for (uint256 i; i < 5; ++i) {
            report(i, bytes32(uint256(1)));
        }
        vm.assertEq(view_(2).version, 0, "nor is any number of none");
    }

    function test_the_last_version_is_reported_by_two_thirds_of_the_seats() public {
        toSoft(2);
        report(0, HEAD);
        report(1, HEAD);
        report(2, keccak256("other"));
        report(3, HEAD);
        vm.assertEq(view_(2).version, 0, "three of five");
        report(4, HEAD);
        vm.assertEq(view_(2).version, HEAD, "four of five");
    }

    function test_the_head_is_reported_after_the_last_round_only_by_its_seats_and_once() public {
        bytes4 wrongPhase = IRoundsEvents.Rounds_WrongPhase.selector;
        vm.expectRevert(abi.encodeWithSelector(wrongPhase, task, 1, Phase.CHALLENGE));
        report(0, HEAD);
        toVote(2);
        vm.expectRevert(abi.encodeWithSelector(wrongPhase, task, 2, Phase.VOTE));
        report(0, HEAD);
        voteAll(2);
        revealAll(2);
        report(0, HEAD);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_AlreadyDone.selector, task, 2, 0));
        report(0, HEAD);
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_NotMember.selector, task, 2, trainer(0)));
        vm.prank(trainer(0));
        rounds.reportHead(task, HEAD);
    }

    function test_a_task_that_never_opened_has_no_head() public {
        task = list(Params.demo(address(token), address(beacon)));
        joinAll();
        vm.expectRevert(abi.encodeWithSelector(IRoundsEvents.Rounds_WrongPhase.selector, task, 0, Phase.NONE));
        report(0, HEAD);
    }
}
