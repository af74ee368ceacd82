// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Role, Ruling, TaskParams} from "../../contracts/libraries/Types.sol";
import {Ledger} from "./Ledger.sol";
import {Params} from "./Params.sol";

/// Docket 2: the evidence of audited checkers.
contract CourtAuditTest is Ledger {
    uint256 private lazy;

    function setUp() public override {
        deploy();
        TaskParams memory p = Params.demo(address(token), address(beacon));
        p.auditRate = 1 << 32;
        task = list(p);
        joinAll();
        toSoft(1);
        postAll(1);
        lazy = checker(1, 0);
        vm.roll(view_(1).phaseEnd + 1);
        rounds.poke(task, 1);
    }

    /// The first dispute is ruled as given, the others are clean.
    function rule(Ruling first) private {
        uint8[] memory rulings = same(1, 2, Ruling.CLEAN);
        rulings[0] = uint8(first);
        judge(1, 2, rulings);
        rounds.poke(task, 1);
        vm.assertEq(view_(1).paid, 15, "trainers are paid");
        claimAll(1);
        vm.assertEq(unclaimed(1), 0, "pot");
        assertBooks();
    }

    function test_each_audited_checker_is_a_dispute_on_which_it_does_not_sit() public view {
        vm.assertEq(docket(1, 2).disputes, 3, "disputes");
        vm.assertEq(docket(1, 2).jurors, 31, "everybody sits on the others'");
        vm.assertEq(docket(1, 2).phaseEnd, view_(1).phaseEnd + 20, "counts from the end of the challenges");
    }

    function test_false_evidence_slashes_burns_all_of_it_and_forfeits_the_fees() public {
        rule(Ruling.GUILTY_GROSS);
        vm.assertEq(stakeOf(Role.VERIFIER, lazy), 5e18, "slashed");
        vm.assertEq(view_(1).forfeited, 1 << lazy, "forfeited");
        (,,, uint256 guilty) = court.outcome(task, 1);
        vm.assertEq(guilty, 1 << lazy, "guilty");
        uint256 attested = has(view_(1).attested, lazy) ? 0.04e18 : 0;
        vm.assertEq(burned(), 5e18 + 1.2e18 + attested, "slash and fees burn");
    }

    function test_lone_is_gross_for_evidence() public {
        rule(Ruling.GUILTY_LONE);
        assertRuled(1, 2, 0, Ruling.GUILTY_GROSS);
        vm.assertEq(stakeOf(Role.VERIFIER, lazy), 5e18, "slashed");
    }

    function test_clean_evidence_costs_nothing_and_the_jury_is_paid_for_each_seat() public {
        rule(Ruling.CLEAN);
        vm.assertEq(burned(), 0, "nothing burns");
        uint256 sat = 3 * 0.3e18;
        for (uint256 i; i < 5; ++i) {
            uint256 fees = has(view_(1).revealed, i) ? 1.2e18 : 0;
            if (has(view_(1).attested, i)) fees += 0.04e18;
            uint256 own = has(view_(1).revealed, i) ? 0.3e18 : 0;
            vm.assertEq(free(verifierOwner(i)), 30e18 + fees + sat - own, "purse");
        }
    }

    function test_unsure_evidence_leaves_the_checker_its_fees() public {
        rule(Ruling.INDETERMINATE);
        vm.assertEq(view_(1).forfeited, 0, "nothing forfeited");
        vm.assertEq(stakeOf(Role.VERIFIER, lazy), 10e18, "not slashed");
    }
}
