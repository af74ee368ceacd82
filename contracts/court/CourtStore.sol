// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../interfaces/ICourt.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Bits} from "../libraries/Bits.sol";
import {Payout} from "../libraries/Payout.sol";
import {Dispute, DocketPhase, DocketView, Money, Role} from "../libraries/Types.sol";
import {Wired} from "../Wired.sol";

/// @title What the court remembers.
abstract contract CourtStore is ICourt, Wired {
    using Bits for uint256;

    /// Four bits a dispute: a juror's rulings on a whole docket fit one word.
    uint256 internal constant MAX_DISPUTES = 64;

    struct Docket {
        uint256 jurors;
        uint256 committed;
        uint256 revealed;
        Dispute[] disputes;
        mapping(uint8 juror => bytes32) said; // hash of its rulings, and once revealed the rulings, four bits each
    }

    /// Where the two dockets of a round stand, and what they decided.
    struct Session {
        DocketPhase phase1;
        uint48 end1;
        DocketPhase phase2;
        uint48 end2;
        uint64 guiltyTrainers;
        uint64 clearedTrainers;
        // ---
        uint128 spent;
        uint256 guiltyVerifiers;
    }

    mapping(uint256 task => mapping(uint32 round => mapping(uint8 docket => Docket))) internal _dockets;
    mapping(uint256 task => mapping(uint32 round => Session)) internal _sessions;
    mapping(
        uint256 task => mapping(uint32 round => mapping(uint8 challenger => mapping(uint8 accused => uint256)))
    ) internal _bonds;

    modifier onlyRounds() {
        require(msg.sender == address(ROUNDS), Court_NotCore(msg.sender));
        _;
    }

    /// @inheritdoc ICourt
    function docket(uint256 task, uint32 round, uint8 number) external view returns (DocketView memory) {
        Docket storage d = _dockets[task][round][number];
        (DocketPhase phase, uint48 end) = _stage(task, round, number);
        return DocketView(phase, end, d.jurors, d.committed, d.revealed, uint16(d.disputes.length));
    }

    /// @inheritdoc ICourt
    function dispute(uint256 task, uint32 round, uint8 number, uint16 index) external view returns (Dispute memory) {
        return _dockets[task][round][number].disputes[index];
    }

    /// @inheritdoc ICourt
    function outcome(uint256 task, uint32 round)
        external
        view
        returns (bool closed, uint64 guiltyTrainers, uint64 clearedTrainers, uint256 guiltyVerifiers)
    {
        Session storage s = _sessions[task][round];
        return (_closed(s), s.guiltyTrainers, s.clearedTrainers, s.guiltyVerifiers);
    }

    /// @inheritdoc ICourt
    function spentOf(uint256 task, uint32 round) external view returns (uint256) {
        return _sessions[task][round].spent;
    }

    /// @inheritdoc ICourt
    function bondFor(uint256 task, uint32 round) public view returns (uint256) {
        (uint256 verifiers,) = ROUNDS.frame(task, round);
        Money memory money = TASKS.moneyOf(task);
        return Payout.bond(money.challengeBond, money.jurorFee, verifiers.count());
    }

    function _closed(Session storage s) internal view returns (bool) {
        return s.phase1 == DocketPhase.CLOSED && s.phase2 == DocketPhase.CLOSED;
    }

    /// A docket's phase and the last block of its window.
    function _stage(uint256 task, uint32 round, uint8 number) internal view returns (DocketPhase, uint48) {
        Session storage s = _sessions[task][round];
        if (number == 1) return (s.phase1, s.end1);
        return number == 2 ? (s.phase2, s.end2) : (DocketPhase.NONE, 0);
    }

    function _enter(uint256 task, uint32 round, uint8 number, DocketPhase phase, uint256 end) internal {
        Session storage s = _sessions[task][round];
        if (number == 1) (s.phase1, s.end1) = (phase, uint48(end));
        else (s.phase2, s.end2) = (phase, uint48(end));
    }

    /// Who may sit on a dispute: every juror but the accused and whoever challenged first.
    function _eligible(uint256 jurors, Dispute storage d) internal view returns (uint256) {
        if (d.role == Role.VERIFIER) jurors &= ~(uint256(1) << d.accused);
        if (d.challengers != 0) jurors &= ~(uint256(1) << d.firstChallenger);
        return jurors;
    }

    /// Takes a challenger's bond: out of its free balance, then out of the stake above a possible slash.
    function _takeBond(uint256 task, uint32 round, uint8 challenger, uint8 accused) internal {
        if (_bonds[task][round][challenger][accused] != 0) return;
        uint256 amount = bondFor(task, round);
        _bonds[task][round][challenger][accused] = amount;
        address token = TASKS.tokenOf(task);
        bytes32 purse = Accounts.free(ROUNDS.ownerOf(task, Role.VERIFIER, challenger));
        bytes32 stake = Accounts.stake(task, Role.VERIFIER, challenger);
        uint256 free = VAULT.balanceOf(token, purse);
        uint256 fromPurse = free < amount ? free : amount;
        uint256 floor = TASKS.moneyOf(task).verifierSlash;
        require(
            VAULT.balanceOf(token, stake) >= amount - fromPurse + (fromPurse < amount ? floor : 0),
            Court_BondUncovered(task, challenger, amount)
        );
        bytes32 pot = Accounts.docketPot(task, round, 1);
        VAULT.move(token, purse, pot, fromPurse);
        VAULT.move(token, stake, pot, amount - fromPurse);
    }
}
