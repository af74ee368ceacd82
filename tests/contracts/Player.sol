// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {Check, DocketPhase, Phase, Role, RoundView, TaskParams} from "../../contracts/libraries/Types.sol";
import {Ledger} from "./Ledger.sol";
import {Params} from "./Params.sol";

/// Plays one task at random: most moves are fit for the phase, any of them may be missed, wrong or late.
contract Player is Ledger {
    uint32 private constant ROUNDS = 6;

    uint256 private moves; // that changed something
    uint256 private height;

    constructor() {
        deploy();
        TaskParams memory p = Params.demo(address(token), address(beacon));
        (p.rounds, p.auditRate) = (ROUNDS, 1 << 31);
        task = list(p);
        joinAll();
        height = block.number;
    }

    /// Something that somebody could do now. Reverts of the contracts are part of the game.
    function step(uint256 x) external {
        vm.roll(height);
        uint32 r = rounds.nextRound(task) - 1;
        Phase now_ = r == 0 ? Phase.FINAL : phase(r);
        if (now_ >= Phase.CHALLENGE) _open(r + 1, x);
        if (now_ == Phase.OPEN) {
            _try(trainer(x % 5), address(rounds), abi.encodeCall(rounds.commit, (task, r, 0, 0, 0)));
        }
        uint64 seen = uint64(x >> 8) | (x % 7 == 0 ? 0 : 15);
        uint256 seat = (x >> 16) % 5;
        if (now_ == Phase.ATTEST) {
            _try(verifier(seat), address(rounds), abi.encodeCall(rounds.attest, (task, r, seen)));
        }
        if (now_ == Phase.SEAL) _wait(2);
        if (now_ == Phase.VOTE) _vote(r, seat, x >> 24);
        if (now_ == Phase.REVEAL) _reveal(r, seat);
    }

    /// The last two rounds' evidence, juries and claims.
    function settleSomething(uint256 x) external {
        vm.roll(height);
        uint32 opened = rounds.nextRound(task) - 1;
        if (opened == 0) return;
        uint32 r = opened - (opened > 1 ? uint32(x % 2) : 0);
        uint256 seat = (x >> 8) % 5;
        _try(KEEPER, address(rounds), abi.encodeCall(rounds.advance, (task, r)));
        if (phase(r) == Phase.CHALLENGE && x & 16 == 0) _post(r, seat);
        for (uint8 d = 1; d <= 2; ++d) {
            _judge(r, d, seat, x >> 16);
        }
        uint32[] memory numbers = new uint32[](1);
        numbers[0] = r;
        Role role = Role((x >> 4) % 2);
        _try(STRANGER, address(rounds), abi.encodeCall(rounds.claim, (task, role, uint8(x % 6), numbers)));
    }

    /// Time goes by.
    function pass(uint256 x) external {
        vm.roll(height);
        _wait(1 + x % (x % 5 == 0 ? 40 : 6));
        uint32 r = rounds.nextRound(task) - 1;
        if (r > 0) _try(KEEPER, address(rounds), abi.encodeCall(rounds.advance, (task, r)));
    }

    /// People come and go, with their money.
    function drift(uint256 x) external {
        vm.roll(height);
        Role role = Role(x % 2);
        uint8 position = uint8((x >> 8) % 5);
        address owner = role == Role.TRAINER ? trainerOwner(position) : verifierOwner(position);
        uint256 kind = (x >> 16) % 12;
        if (kind == 0) _try(owner, address(slots), abi.encodeCall(slots.exit, (task, role, position)));
        if (kind == 1) _try(STRANGER, address(slots), abi.encodeCall(slots.withdrawStake, (task, role, position)));
        if (kind == 2) _try(owner, address(vault), abi.encodeCall(vault.withdraw, (token, free(owner) / 3)));
        if (kind == 3) _try(STRANGER, address(vault), abi.encodeCall(vault.flush, (token)));
        if (kind == 4) _try(STRANGER, address(tasks), abi.encodeCall(tasks.finish, (task)));
        if (kind == 5 && slots.count(task, Role.TRAINER) == 4 && rounds.nextRound(task) <= ROUNDS) joinTrainer(4);
    }

    /// How far the game has come.
    function achieved() external view returns (uint256 settled, uint256 convicts, uint256 made) {
        settled = rounds.settledThrough(task);
        convicts = slots.convicted(task, Role.TRAINER) | slots.convicted(task, Role.VERIFIER);
        made = moves;
    }

    // --- invariants, in the words of invariants.md ---

    function checkBooks() external view {
        assertBooks();
        uint256 gone = token.balanceOf(0x000000000000000000000000000000000000dEaD);
        uint256 out = token.balanceOf(INITIATOR);
        for (uint256 i; i < 5; ++i) {
            out += token.balanceOf(trainerOwner(i)) + token.balanceOf(verifierOwner(i));
        }
        vm.assertEq(token.totalSupply(), vault.liabilities(address(token)) + gone + out, "taken = burned + paid");
    }

    function checkRounds() external view {
        uint32 through = rounds.settledThrough(task);
        uint256 owed;
        vm.assertTrue(phase(through + 1) < Phase.FINAL, "settled through the first that is not");
        for (uint32 r = 1; r < rounds.nextRound(task); ++r) {
            for (uint8 d = 1; d <= 2; ++d) {
                bool closed = docket(r, d).phase == DocketPhase.CLOSED;
                vm.assertTrue(!closed || held(Accounts.docketPot(task, r, d)) == 0, "a closed docket keeps nothing");
            }
            RoundView memory v = view_(r);
            vm.assertTrue(v.held & ~v.committed == 0 && v.committed & ~v.trainers == 0, "held, committed, frozen");
            vm.assertTrue(v.accepted & (v.challenged | ~v.held) == 0, "accepted is held and not challenged");
            vm.assertTrue(v.revealed & ~v.voted == 0 && v.voted & ~v.checkers == 0, "revealed, voted, drawn");
            vm.assertTrue(v.phase >= Phase.FINAL || r > through, "settled up to here");
            if (v.phase < Phase.FINAL) continue;
            vm.assertEq(pot(r), 0, "a settled pot is empty");
            owed += _owed(r);
        }
        vm.assertEq(claims(), owed, "what is kept is what can be claimed");
    }

    function _owed(uint32 r) private view returns (uint256 sum) {
        uint32[] memory numbers = new uint32[](1);
        numbers[0] = r;
        for (uint8 i; i < 6; ++i) {
            sum += rounds.claimable(task, Role.TRAINER, i, numbers) + rounds.claimable(task, Role.VERIFIER, i, numbers);
        }
    }

    // --- inside ---

    function _try(address who, address to, bytes memory call_) private {
        vm.prank(who);
        (bool fine,) = to.call(call_);
        if (fine) ++moves;
    }

    function _wait(uint256 blocks) private {
        height += blocks;
        vm.roll(height);
    }

    function _open(uint32 r, uint256 x) private {
        if (x % 3 == 0) _wait(1);
        _try(KEEPER, address(rounds), abi.encodeCall(rounds.advance, (task, r)));
        _wait(2);
    }

    function _vote(uint32 r, uint256 seat, uint256 x) private {
        if (has(view_(r).voted, seat) || !has(view_(r).checkers, seat)) return;
        delete planned[seat];
        uint8 accused = uint8(x % 16);
        if (has(view_(r).held & ~slots.ownTrainers(task, uint8(seat)), accused)) {
            bool segment = x & 16 == 0;
            plan(r, seat, accused, segment ? Check.SEGMENT : Check.UPDATE, segment ? segmentOf(r, seat, accused) : 0);
        }
        planned[seat] = abi.encode(ballot(r, seat));
        bytes32 hash = rounds.ballotHash(task, r, verifier(seat), ballot(r, seat));
        _try(verifier(seat), address(rounds), abi.encodeCall(rounds.vote, (task, r, hash)));
    }

    function _reveal(uint32 r, uint256 seat) private {
        if (planned[seat].length == 0) return;
        _try(verifier(seat), address(rounds), abi.encodeCall(rounds.reveal, (task, r, ballot(r, seat))));
    }

    function _post(uint32 r, uint256 seat) private {
        if (view_(r).audit == 0) return;
        (bool audited,,) = rounds.auditOf(task, r, uint8(seat));
        if (!audited) return;
        (bytes memory leaf, bytes32[] memory proof) = evidence(r, seat);
        bytes memory call_ = abi.encodeCall(rounds.postEvidence, (task, r, ballot(r, seat), leaf, proof));
        _try(verifier(seat), address(rounds), call_);
    }

    /// A juror rules each dispute by the seed of its docket, now and then another way; it opens what it committed.
    function _judge(uint32 r, uint8 d, uint256 seat, uint256 x) private {
        uint8[] memory rulings = new uint8[](docket(r, d).disputes);
        for (uint256 i; i < rulings.length; ++i) {
            uint256 roll = uint256(keccak256(abi.encode(r, d, i, seat % 4 == 0 ? seat : 9)));
            rulings[i] = uint8(1 + roll % 4);
        }
        bytes32[] memory results = new bytes32[](rulings.length);
        bytes32 hash = court.jurorHash(task, r, d, verifier(seat), rulings, results, SALT);
        if (x % 8 != 0) _try(verifier(seat), address(court), abi.encodeCall(court.jcommit, (task, r, d, hash)));
        _try(verifier(seat), address(court), abi.encodeCall(court.jreveal, (task, r, d, rulings, results, SALT)));
        _try(KEEPER, address(court), abi.encodeCall(court.advanceDocket, (task, r, d)));
    }
}
