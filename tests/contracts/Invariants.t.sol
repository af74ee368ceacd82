// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Player} from "./Player.sol";
import {Test} from "./Test.sol";

/// What holds after any moves of anybody: see invariants.md.
contract InvariantsTest is Test {
    Player private player;

    function setUp() public {
        player = new Player();
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// What forge is to call, and nothing else of the player.
    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(player), new bytes4[](5));
        bytes4[5] memory all = [
            Player.step.selector,
            Player.step.selector, // twice as often
            Player.settleSomething.selector,
            Player.pass.selector,
            Player.drift.selector
        ];
        for (uint256 i; i < 5; ++i) {
            targets[0].selectors[i] = all[i];
        }
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(player);
    }

    /// The game is worth its invariants only if it gets somewhere.
    function test_a_long_game_settles_rounds_and_convicts_somebody() public {
        for (uint256 i; i < 900; ++i) {
            uint256 x = uint256(keccak256(abi.encode("bout", i)));
            if (x % 16 < 9) player.step(x >> 8);
            else if (x % 16 < 13) player.settleSomething(x >> 8);
            else if (x % 16 < 15) player.pass(x >> 8);
            else player.drift(x >> 8);
            player.checkBooks();
            player.checkRounds();
        }
        (uint256 settled, uint256 convicts, uint256 moves) = player.achieved();
        emit log_named_uint("settled", settled);
        emit log_named_uint("convicts", convicts);
        emit log_named_uint("moves", moves);
        vm.assertTrue(settled >= 3 && convicts > 0 && moves > 150, "far enough");
    }

    event log_named_uint(string key, uint256 value);

    /// forge-config: default.invariant.runs = 250
    /// forge-config: default.invariant.depth = 200
    /// forge-config: deep.invariant.runs = 2500
    /// forge-config: deep.invariant.depth = 200
    function invariant_every_wei_is_in_one_account_and_what_is_owed_is_held() public view {
        player.checkBooks();
    }

    /// forge-config: default.invariant.runs = 250
    /// forge-config: default.invariant.depth = 200
    /// forge-config: deep.invariant.runs = 2500
    /// forge-config: deep.invariant.depth = 200
    function invariant_rounds_and_dockets_keep_only_what_is_owed() public view {
        player.checkRounds();
    }
}
