// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Payout} from "../../contracts/libraries/Payout.sol";
import {Money} from "../../contracts/libraries/Types.sol";
import {Params} from "./Params.sol";
import {Test} from "./Test.sol";

/// The sums of tests/vectors/payouts.json, which Python made, and what holds of any.
contract PayoutTest is Test {
    string private json;

    function setUp() public {
        json = vm.readFile("tests/vectors/payouts.json");
    }

    function ints(string memory name) private view returns (uint256[] memory) {
        return vm.parseJsonUintArray(json, string.concat(".", name));
    }

    function test_slashes_are_those_of_python() public view {
        uint256[] memory stakes = ints("slash_stake");
        uint256[] memory amounts = ints("slash_amount");
        uint256[] memory caps = ints("slash_cap");
        uint256[] memory expected = ints("slash_taken");
        uint256[] memory bounties = ints("slash_bounty");
        uint256[] memory rest = ints("slash_burned");
        for (uint256 i; i < stakes.length; ++i) {
            (uint256 taken, uint256 bounty, uint256 burned) = Payout.slash(stakes[i], amounts[i], caps[i]);
            vm.assertEq(taken, expected[i], "taken");
            vm.assertEq(bounty, bounties[i], "bounty");
            vm.assertEq(burned, rest[i], "burned");
        }
    }

    function test_shares_of_a_bounty_are_those_of_python() public view {
        uint256[] memory bounties = ints("split_bounty");
        uint256[] memory counts = ints("split_n");
        uint256[] memory shares = ints("split_share");
        uint256[] memory rest = ints("split_dust");
        for (uint256 i; i < bounties.length; ++i) {
            (uint256 each, uint256 dust) = Payout.share(bounties[i], counts[i]);
            vm.assertEq(each, shares[i], "share");
            vm.assertEq(dust, rest[i], "dust");
        }
    }

    function test_quorums_are_those_of_python() public view {
        uint256[] memory expected = ints("quorum");
        for (uint256 n; n < expected.length; ++n) {
            vm.assertEq(Payout.quorum(n), expected[n], "quorum");
        }
    }

    function testFuzz_a_slash_takes_something_and_never_more_than_the_stake(uint128 stake, uint128 amount, uint128 cap)
        public
        pure
    {
        (uint256 taken, uint256 bounty, uint256 burned) = Payout.slash(stake, amount, cap);
        vm.assertTrue(taken <= stake && (taken > 0 || stake == 0), "taken");
        vm.assertTrue(bounty <= cap && bounty * 10 <= taken, "bounty");
        vm.assertEq(taken, bounty + burned, "taken = bounty + burned");
    }

    /// CH-12: tiny stakes and a thousand slashes of a thousandth.
    function testFuzz_tiny_stakes_lose_at_least_a_wei_each_time_and_never_more_than_they_are(uint256 stake)
        public
        pure
    {
        stake = bound(stake, 1, 10_000);
        uint256 amount = (stake + 999) / 1000;
        (uint256 left, uint256 gone) = (stake, 0);
        for (uint256 i; i < 1000 && left > 0; ++i) {
            (uint256 taken, uint256 bounty, uint256 burned) = Payout.slash(left, amount, amount / 10);
            vm.assertTrue(taken > 0 && taken <= left, "taken");
            (left, gone) = (left - taken, gone + bounty + burned);
            vm.assertEq(left + gone, stake, "nothing appears or vanishes");
        }
        vm.assertEq(left, 0, "a thousand slashes of a thousandth, rounded up, take all");
    }

    function test_sixty_four_sharing_63_wei_get_nothing_and_the_dust_is_all_of_it() public pure {
        (uint256 each, uint256 dust) = Payout.share(63, 64);
        vm.assertEq(each, 0, "share");
        vm.assertEq(dust, 63, "dust");
    }

    function test_the_reserve_covers_a_round_in_which_everything_is_owed() public pure {
        Money memory m = Params.money();
        uint256 expected = 4 * 1e18 + 20 * 0.3e18 + 12 * 0.01e18 + 45 * 0.3e18 + 24 * 0.001e18;
        vm.assertEq(Payout.reserve(m, 4, 5, 3), expected, "reserve");
        vm.assertEq(Payout.bond(m.challengeBond, m.jurorFee, 5), 4.5e18, "bond");
    }
}
