// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bits} from "../../contracts/libraries/Bits.sol";
import {Panel} from "../../contracts/libraries/Panel.sol";
import {Test} from "./Test.sol";

/// The panel against plain bitmaps of the same facts.
contract PanelTest is Test {
    using Bits for uint256;
    using Panel for mapping(uint256 => uint256);

    uint256 private constant NEW_CHECKER = Panel.CHECKER | Panel.TO_VOTE;

    mapping(uint256 => uint256) private panel;

    function set(uint256 flag) private view returns (uint256) {
        return panel.where(flag, flag);
    }

    function cellOf(uint256 position) private view returns (uint256 cell) {
        (, cell) = panel.find(position);
    }

    function assertSet(uint256 actual, uint256 expected, string memory what) private pure {
        vm.assertEq(actual, expected, what);
    }

    function testFuzz_members_are_found_in_the_order_of_their_enrolment(uint256 first, uint256 second) public {
        panel.enrol(first, Panel.ATTESTER);
        panel.enrol(second, NEW_CHECKER);
        assertSet(set(Panel.ATTESTER), first, "first");
        assertSet(set(Panel.CHECKER), second, "second");
        uint256 expected;
        for (uint256 left = first; left != 0; left &= left - 1) {
            (uint256 seat, uint256 cell) = panel.find(left.lowest());
            vm.assertEq(seat, expected++, "in ascending order");
            vm.assertEq(Panel.positionOf(cell), left.lowest(), "position");
        }
        for (uint256 left = second & ~first; left != 0; left &= left - 1) {
            (uint256 seat,) = panel.find(left.lowest());
            vm.assertEq(seat, expected++, "newcomers behind all others");
        }
        for (uint256 left = ~(first | second); left != 0; left &= left - 1) {
            vm.assertEq(cellOf(left.lowest()), 0, "nobody else");
        }
    }

    function testFuzz_checkers_lead_and_attesters_keep_what_they_did(uint256 attesters, uint256 done, uint256 checkers)
        public
    {
        done &= attesters;
        panel.enrol(attesters, Panel.ATTESTER | Panel.TO_ATTEST);
        for (uint256 left = done; left != 0; left &= left - 1) {
            (uint256 seat,) = panel.find(left.lowest());
            panel.toggle(seat, Panel.TO_ATTEST);
        }
        panel.lead(checkers);
        assertSet(set(Panel.ATTESTER), attesters, "attesters");
        assertSet(set(Panel.TO_ATTEST), attesters & ~done, "still to attest");
        assertSet(panel.where(NEW_CHECKER, NEW_CHECKER), checkers, "to vote");
        uint256 expected;
        for (uint256 left = checkers; left != 0; left &= left - 1) {
            (uint256 seat,) = panel.find(left.lowest());
            vm.assertEq(seat, expected++, "at the head");
        }
    }

    function testFuzz_any_and_clear_know_every_cell(uint256 members, uint256 pick) public {
        vm.assume(members != 0);
        panel.enrol(members, NEW_CHECKER);
        vm.assertTrue(!panel.any(Panel.TO_REVEAL), "nobody voted");
        uint256 voter = members.nth(pick % members.count());
        (uint256 seat,) = panel.find(voter);
        panel.toggle(seat, Panel.TO_VOTE | Panel.TO_REVEAL);
        vm.assertTrue(panel.any(Panel.TO_REVEAL), "one did");
        assertSet(set(Panel.TO_REVEAL), 1 << voter, "that one");
        vm.assertTrue(panel.any(Panel.TO_VOTE) == (members.count() > 1), "others are to");
        panel.clear(Panel.TO_REVEAL);
        vm.assertTrue(!panel.any(Panel.TO_REVEAL), "taken from all");
        assertSet(set(Panel.TO_VOTE), members & ~(1 << voter), "and nothing else");
        assertSet(set(Panel.CHECKER), members, "nor anybody");
    }

    function testFuzz_counts_of_marks_are_kept_and_added_up(uint256 members, uint8[8] calldata marks) public {
        members &= 0x8001_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_00ff;
        panel.enrol(members, Panel.ATTESTER | NEW_CHECKER);
        uint256 total;
        for (uint256 i; i < 8; ++i) {
            (uint256 seat, uint256 cell) = panel.find(i);
            if (cell == 0) continue;
            (uint256 passes, uint256 challenges) = (marks[i] % 65, 64 - marks[i] % 65);
            panel.toggle(seat, Panel.REVEALED | Panel.marks(passes, challenges));
            vm.assertEq(Panel.passesOf(cellOf(i)), passes, "passes");
            vm.assertEq(Panel.markedBy(cellOf(i)), 64, "marks");
            total += 64;
        }
        (uint256 attested, uint256 marked) = panel.work();
        vm.assertEq(marked, total, "all marks");
        vm.assertEq(attested, members.count(), "all attested: none is still to");
    }

    function test_256_seats_fill_32_words() public {
        panel.enrol(type(uint256).max, NEW_CHECKER);
        (uint256 seat, uint256 cell) = panel.find(255);
        vm.assertEq(seat, 255, "last seat");
        vm.assertEq(Panel.positionOf(cell), 255, "last position");
        vm.assertEq(panel[32], 0, "no word more");
        panel.clear(Panel.TO_VOTE);
        vm.assertTrue(!panel.any(Panel.TO_VOTE), "the last word, too");
    }
}
