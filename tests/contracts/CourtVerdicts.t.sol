// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Check, Phase, Role, Ruling} from "../../contracts/libraries/Types.sol";
import {Ledger} from "./Ledger.sol";

/// What follows from the rulings on one challenge; the jury is everybody but the challenger.
contract CourtVerdictsTest is Ledger {
    Ruling private constant CLEAN = Ruling.CLEAN;
    Ruling private constant LONE = Ruling.GUILTY_LONE;
    Ruling private constant GROSS = Ruling.GUILTY_GROSS;
    Ruling private constant UNSURE = Ruling.INDETERMINATE;
    Ruling private constant NONE = Ruling.NONE;

    uint256 private accuser;

    function setUp() public override {
        super.setUp();
        joinAll();
        toVote(1);
        accuser = checker(1, 0);
    }

    /// The accuser challenges slot 0; the four jurors rule as listed, in ascending order.
    function trial(Check check, Ruling a, Ruling b, Ruling c, Ruling d) private {
        plan(1, accuser, 0, check, check == Check.SEGMENT ? segmentOf(1, accuser, 0) : 0);
        voteAll(1);
        revealAll(1);
        Ruling[4] memory given = [a, b, c, d];
        Ruling[5] memory seats;
        for (uint256 n; n < 4; ++n) {
            seats[nth(docket(1, 1).jurors, n)] = given[n];
        }
        judgeEach(1, 1, seats);
    }

    function finish(uint64 paid) private {
        settle(1);
        vm.assertEq(view_(1).paid, paid, "paid");
        claimAll(1);
        vm.assertEq(unclaimed(1), 0, "pot");
        assertBooks();
    }

    function juror(uint256 n) private view returns (uint256) {
        return nth(31 & ~(uint256(1) << accuser), n);
    }

    function test_gross_guilt_slashes_pays_the_bounty_and_returns_the_bond() public {
        trial(Check.UPDATE, GROSS, GROSS, GROSS, CLEAN);
        assertRuled(1, 1, 0, GROSS);
        vm.assertEq(stakeOf(Role.TRAINER, 0), 5e18, "slashed");
        vm.assertEq(slots.slot(task, Role.TRAINER, 0).activeTo, 2, "out of the next round");
        vm.assertEq(free(verifierOwner(accuser)), 30.5e18, "bond and bounty");
        vm.assertEq(free(verifierOwner(juror(0))), 30.3e18, "fee of the majority");
        vm.assertEq(free(verifierOwner(juror(3))), 30e18, "none of the minority");
        vm.assertEq(court.spentOf(task, 1), 0.9e18, "out of the convict's price");
        uint256 ash = burned();
        finish(14);
        vm.assertEq(burned() - ash, 0.1e18, "what is left of it burns");
    }

    function test_a_lone_mismatch_of_a_segment_is_a_strike_and_no_slash() public {
        trial(Check.SEGMENT, LONE, LONE, GROSS, GROSS);
        assertRuled(1, 1, 0, LONE);
        vm.assertEq(stakeOf(Role.TRAINER, 0), 10e18, "not slashed");
        vm.assertEq(slots.slot(task, Role.TRAINER, 0).strikes, 1, "struck");
        vm.assertEq(free(verifierOwner(accuser)), 30e18, "bond back, no bounty");
        vm.assertEq(free(verifierOwner(juror(3))), 30.3e18, "gross and lone agree on guilt");
        finish(14);
    }

    function test_two_thirds_of_the_guilty_rulings_make_it_gross() public {
        trial(Check.SEGMENT, LONE, GROSS, GROSS, NONE);
        assertRuled(1, 1, 0, GROSS);
        vm.assertEq(stakeOf(Role.TRAINER, 0), 5e18, "slashed");
    }

    function test_only_a_segment_can_be_lone() public {
        trial(Check.UPDATE, LONE, LONE, LONE, LONE);
        assertRuled(1, 1, 0, GROSS);
        vm.assertEq(stakeOf(Role.TRAINER, 0), 5e18, "slashed");
    }

    function test_the_third_strike_slashes() public {
        vm.startPrank(address(court));
        slots.strike(task, Role.TRAINER, 0, 1);
        slots.strike(task, Role.TRAINER, 0, 1);
        vm.stopPrank();
        trial(Check.SEGMENT, LONE, LONE, LONE, LONE);
        assertRuled(1, 1, 0, LONE);
        vm.assertEq(stakeOf(Role.TRAINER, 0), 5e18, "slashed");
        vm.assertEq(free(verifierOwner(accuser)), 30.5e18, "with a bounty");
        finish(14);
    }

    function test_a_lost_bond_pays_the_cleared_trainer_and_the_jury_and_the_rest_burns() public {
        trial(Check.UPDATE, CLEAN, CLEAN, CLEAN, GROSS);
        assertRuled(1, 1, 0, CLEAN);
        vm.assertEq(free(trainerOwner(0)), 32e18, "cleared");
        vm.assertEq(free(verifierOwner(juror(0))), 30.3e18, "jury");
        vm.assertEq(free(verifierOwner(juror(3))), 30e18, "minority");
        vm.assertEq(free(verifierOwner(accuser)), 25.5e18, "bond lost");
        vm.assertEq(burned(), 4.5e18 - 2e18 - 0.9e18, "burned");
        vm.assertEq(slots.slot(task, Role.VERIFIER, uint8(accuser)).activeTo, 2, "ejected");
        vm.assertTrue(!slots.slot(task, Role.VERIFIER, uint8(accuser)).convicted, "and not convicted");
        vm.assertEq(view_(1).accepted, 14, "not in the version");
        finish(15);
    }

    function test_an_indeterminate_item_is_neither_paid_nor_slashed_and_bonds_return() public {
        trial(Check.UPDATE, UNSURE, UNSURE, UNSURE, GROSS);
        assertRuled(1, 1, 0, UNSURE);
        neither();
        vm.assertEq(free(verifierOwner(juror(0))), 30.3e18, "the jury is paid out of the reserve");
        finish(14);
    }

    function test_a_hung_jury_changes_nothing_and_is_not_paid() public {
        trial(Check.UPDATE, GROSS, GROSS, CLEAN, CLEAN);
        assertRuled(1, 1, 0, Ruling.HUNG);
        neither();
        for (uint256 n; n < 4; ++n) {
            vm.assertEq(free(verifierOwner(juror(n))), 30e18, "no fee");
        }
        finish(14);
    }

    function neither() private view {
        vm.assertEq(stakeOf(Role.TRAINER, 0), 10e18, "not slashed");
        vm.assertEq(free(verifierOwner(accuser)), 30e18, "bond back");
        vm.assertEq(free(trainerOwner(0)), 30e18, "no indemnity");
        vm.assertEq(burned(), 0, "nothing burns");
    }

    function test_half_of_the_jury_decides_and_less_does_not() public {
        uint256 snapshot = vm.snapshotState();
        trial(Check.UPDATE, GROSS, GROSS, NONE, NONE);
        assertRuled(1, 1, 0, GROSS);
        vm.revertToState(snapshot);
        trial(Check.UPDATE, GROSS, NONE, NONE, NONE);
        assertRuled(1, 1, 0, Ruling.HUNG);
        vm.assertEq(stakeOf(Role.VERIFIER, juror(1)), 9.9e18, "who stayed away is fined");
        finish(14);
    }

    function test_a_jury_to_which_nobody_comes_is_hung() public {
        trial(Check.UPDATE, NONE, NONE, NONE, NONE);
        assertRuled(1, 1, 0, Ruling.HUNG);
        finish(14);
    }

    function test_who_is_convicted_already_is_not_slashed_again() public {
        plan(1, accuser, 0, Check.UPDATE, 0);
        voteAll(1);
        revealAll(1);
        vm.prank(address(court));
        slots.slash(task, Role.TRAINER, 0, 1, 0);
        judge(1, 1, same(1, 1, GROSS));
        vm.assertEq(stakeOf(Role.TRAINER, 0), 5e18, "once");
        vm.assertEq(free(verifierOwner(accuser)), 30e18, "bond back");
        finish(14);
    }

    function test_a_cleared_trainer_is_paid_even_where_the_vote_failed() public {
        plan(1, accuser, 0, Check.UPDATE, 0);
        vote(1, accuser);
        vm.roll(view_(1).phaseEnd + 1);
        advance(1);
        reveal(1, accuser);
        vm.roll(view_(1).phaseEnd + 1);
        advance(1);
        vm.roll(view_(1).phaseEnd + 1);
        advance(1);
        assertPhase(1, Phase.CHALLENGE);
        settle(1, CLEAN);
        assertPhase(1, Phase.VOID);
        vm.assertEq(view_(1).paid, 1, "it alone");
        claimAll(1);
        vm.assertEq(unclaimed(1), 0, "pot");
        assertBooks();
    }
}
