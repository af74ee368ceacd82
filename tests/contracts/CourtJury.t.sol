// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../../contracts/interfaces/ICourt.sol";
import {Check, DocketPhase, Role, Ruling} from "../../contracts/libraries/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Params} from "./Params.sol";

/// Commit and reveal of the jurors, and the time they have.
contract CourtJuryTest is Fixture {
    uint256 private accuser;

    function setUp() public override {
        super.setUp();
        joinAll();
        toVote(1);
        accuser = checker(1, 0);
        plan(1, accuser, 0, Check.UPDATE, 0);
        voteAll(1);
        revealAll(1);
    }

    function juror(uint256 n) private view returns (uint256) {
        return nth(docket(1, 1).jurors, n);
    }

    function guilty() private pure returns (uint8[] memory rulings) {
        rulings = new uint8[](1);
        rulings[0] = uint8(Ruling.GUILTY_GROSS);
    }

    function toReveals() private {
        for (uint256 n; n < 4; ++n) {
            jcommit(1, 1, juror(n), guilty());
        }
    }

    function jcommitRefused(address who, bytes memory refusal) private {
        vm.expectRevert(refusal);
        vm.prank(who);
        court.jcommit(task, 1, 1, bytes32(uint256(1)));
    }

    function jrevealRefused(uint256 who, uint8[] memory rulings, uint256 results, bytes memory refusal) private {
        vm.expectRevert(refusal);
        vm.prank(verifier(who));
        court.jreveal(task, 1, 1, rulings, new bytes32[](results), SALT);
    }

    function test_only_jurors_commit_and_only_once() public {
        bytes4 notJuror = ICourt.Court_NotJuror.selector;
        jcommitRefused(verifier(accuser), abi.encodeWithSelector(notJuror, task, 1, 1, verifier(accuser)));
        jcommitRefused(trainer(1), abi.encodeWithSelector(notJuror, task, 1, 1, trainer(1)));
        uint256 first = juror(0);
        jcommit(1, 1, first, guilty());
        jcommitRefused(verifier(first), abi.encodeWithSelector(ICourt.Court_AlreadyDone.selector, task, 1, 1, first));
    }

    function test_a_docket_that_is_not_open_takes_nothing() public {
        vm.expectRevert(abi.encodeWithSelector(ICourt.Court_WrongPhase.selector, task, 1, 2));
        vm.prank(verifier(0));
        court.jcommit(task, 1, 2, bytes32(uint256(1)));
        jrevealRefused(0, guilty(), 1, abi.encodeWithSelector(ICourt.Court_WrongPhase.selector, task, 1, 1));
    }

    function test_reveals_begin_when_all_jurors_have_committed_and_end_with_the_last() public {
        toReveals();
        vm.assertTrue(docket(1, 1).phase == DocketPhase.JREVEAL, "reveals");
        vm.assertEq(docket(1, 1).phaseEnd, block.number + 5, "end");
        for (uint256 n; n < 4; ++n) {
            jreveal(1, 1, juror(n), guilty());
        }
        vm.assertTrue(docket(1, 1).phase == DocketPhase.CLOSED, "closed");
    }

    function test_the_last_blocks_are_in_time() public {
        uint64 end = docket(1, 1).phaseEnd;
        vm.roll(end);
        jcommit(1, 1, juror(0), guilty());
        vm.roll(end + 5);
        jreveal(1, 1, juror(0), guilty());
        vm.assertTrue(docket(1, 1).phase == DocketPhase.CLOSED, "nobody else had committed");
    }

    function test_a_reveal_that_was_not_committed_is_refused() public {
        toReveals();
        uint256 first = juror(0);
        bytes memory mismatch = abi.encodeWithSelector(ICourt.Court_JurorMismatch.selector, task, 1, 1, first);
        uint8[] memory other = guilty();
        other[0] = uint8(Ruling.CLEAN);
        jrevealRefused(first, other, 1, mismatch);
        jrevealRefused(first, guilty(), 2, mismatch);
        jreveal(1, 1, first, guilty());
        jrevealRefused(first, guilty(), 1, abi.encodeWithSelector(ICourt.Court_AlreadyDone.selector, task, 1, 1, first));
    }

    function test_a_copied_hash_cannot_be_opened_by_its_copier() public {
        (uint256 author, uint256 copier) = (juror(0), juror(1));
        bytes32 hash = court.jurorHash(task, 1, 1, verifier(author), guilty(), new bytes32[](1), SALT);
        vm.prank(verifier(copier));
        court.jcommit(task, 1, 1, hash);
        vm.roll(docket(1, 1).phaseEnd + 1);
        bytes memory mismatch = abi.encodeWithSelector(ICourt.Court_JurorMismatch.selector, task, 1, 1, copier);
        jrevealRefused(copier, guilty(), 1, mismatch);
    }

    function test_rulings_are_one_for_each_dispute_and_no_juror_rules_hung() public {
        uint8[] memory two = new uint8[](2);
        uint8[] memory hung = guilty();
        hung[0] = uint8(Ruling.HUNG);
        (uint256 a, uint256 b) = (juror(0), juror(1));
        jcommit(1, 1, a, two);
        jcommit(1, 1, b, hung);
        vm.roll(docket(1, 1).phaseEnd + 1);
        jrevealRefused(a, two, 2, abi.encodeWithSelector(ICourt.Court_BadRulings.selector, 2, 1));
        jrevealRefused(b, hung, 1, abi.encodeWithSelector(ICourt.Court_BadRulings.selector, 5, 4));
    }

    function test_jurors_that_stay_away_are_fined() public {
        (uint256 a, uint256 b) = (juror(0), juror(1));
        jcommit(1, 1, a, guilty());
        jcommit(1, 1, b, guilty());
        vm.roll(docket(1, 1).phaseEnd + 1);
        jreveal(1, 1, a, guilty());
        vm.roll(docket(1, 1).phaseEnd + 1);
        court.poke(task, 1);
        vm.assertEq(stakeOf(Role.VERIFIER, a), 10e18, "did its duty");
        vm.assertEq(stakeOf(Role.VERIFIER, b), 9.9e18, "committed only");
        vm.assertEq(stakeOf(Role.VERIFIER, juror(2)), 9.9e18, "never came");
        vm.assertEq(stakeOf(Role.VERIFIER, accuser), 10e18, "was not asked");
    }

    function test_a_docket_is_moved_on_for_a_tip_where_something_is_due() public {
        uint256 before = free(KEEPER);
        vm.expectRevert(abi.encodeWithSelector(ICourt.Court_NothingDue.selector, task, 1, 1));
        vm.prank(KEEPER);
        court.advanceDocket(task, 1, 1);
        vm.roll(docket(1, 1).phaseEnd + 1);
        vm.prank(KEEPER);
        court.advanceDocket(task, 1, 1);
        vm.assertEq(free(KEEPER), before + Params.money().tip, "tip");
        vm.assertTrue(docket(1, 1).phase == DocketPhase.CLOSED, "nobody had committed: both windows are over");
        assertRuled(1, 1, 0, Ruling.HUNG);
    }

    function test_a_round_is_not_final_before_its_juries_are() public {
        vm.roll(view_(1).phaseEnd + 1);
        rounds.poke(task, 1);
        vm.assertTrue(docket(1, 2).phase == DocketPhase.CLOSED, "nothing in the second docket");
        vm.assertEq(rounds.settledThrough(task), 0, "still the first");
        judge(1, 1, guilty());
        rounds.poke(task, 1);
        vm.assertEq(rounds.settledThrough(task), 1, "final");
    }
}
