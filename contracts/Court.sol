// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CourtVerdicts} from "./court/CourtVerdicts.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {ISlots} from "./interfaces/ISlots.sol";
import {Bits} from "./libraries/Bits.sol";
import {Challenge, Check, Dispute, DocketPhase, Role, Ruling, Verdict, Windows} from "./libraries/Types.sol";
import {Wired} from "./Wired.sol";

/// @title Court: see ICourt.
contract Court is CourtVerdicts {
    using Bits for uint256;

    constructor(address[5] memory core) Wired(core, 4, address(this)) {}

    // --- filing, by Rounds ---

    /// @inheritdoc ICourt
    function file(uint256 task, uint32 round, uint8 challenger, Challenge calldata c) external onlyRounds {
        Docket storage d = _dockets[task][round][1];
        uint256 index = _find(d, c);
        if (index == d.disputes.length) {
            require(index < MAX_DISPUTES, Court_DocketFull(task, round, 1));
            d.disputes.push(Dispute(Role.TRAINER, c.slot, c.check, c.item, 0, challenger, Ruling.NONE, c.measured));
        }
        d.disputes[index].challengers |= uint256(1) << challenger;
        emit Disputed(task, round, 1, uint16(index), Role.TRAINER, c.slot, c.check, c.item, challenger);
        _takeBond(task, round, challenger, c.slot);
    }

    /// @inheritdoc ICourt
    function fileAudit(uint256 task, uint32 round, uint8 accused, uint32 item, bytes32 leafHash) external onlyRounds {
        Docket storage d = _dockets[task][round][2];
        uint256 index = d.disputes.length;
        // Whoever has shown its evidence has done its duty: where there is no room to judge it, it stands.
        if (index == MAX_DISPUTES) return;
        d.disputes.push(Dispute(Role.VERIFIER, accused, Check.EVIDENCE, item, 0, 0, Ruling.NONE, leafHash));
        emit Disputed(task, round, 2, uint16(index), Role.VERIFIER, accused, Check.EVIDENCE, item, accused);
    }

    /// @inheritdoc ICourt
    function openDocket(uint256 task, uint32 round, uint8 number, uint256 seats) external onlyRounds {
        Docket storage d = _dockets[task][round][number];
        uint256 disputes = d.disputes.length;
        if (disputes == 0) {
            _enter(task, round, number, DocketPhase.CLOSED, 0);
            emit DocketClosed(task, round, number);
            return;
        }
        uint256 jurors;
        for (uint256 i; i < disputes; ++i) {
            jurors |= _eligible(seats, d.disputes[i]);
        }
        d.jurors = jurors;
        Windows memory w = TASKS.windowsOf(task);
        (, uint64 challengeEnd) = ROUNDS.frame(task, round);
        uint256 opening = number == 1 ? challengeEnd - w.challenge : challengeEnd;
        _enter(task, round, number, DocketPhase.JCOMMIT, opening + w.jcommit);
        emit DocketOpened(task, round, number, jurors, uint16(disputes), uint64(opening + w.jcommit));
    }

    /// @inheritdoc ICourt
    function close(uint256 task, uint32 round) external onlyRounds returns (Verdict memory v) {
        Session storage s = _sessions[task][round];
        if (!_closed(s)) poke(task, round);
        (v.closed, v.guilty, v.cleared) = (_closed(s), s.guiltyTrainers, s.clearedTrainers);
        if (v.guilty != 0) v.spent = s.spent;
    }

    // --- the jury ---

    /// @inheritdoc ICourt
    function jcommit(uint256 task, uint32 round, uint8 number, bytes32 hash) external {
        Docket storage d = _inPhase(task, round, number, DocketPhase.JCOMMIT);
        uint8 position = _juror(task, round, number);
        uint256 committed = d.committed;
        require(!committed.has(position), Court_AlreadyDone(task, round, number, position));
        committed |= uint256(1) << position;
        (d.committed, d.said[position]) = (committed, hash);
        emit JurorCommitted(task, round, number, position);
        if (committed == d.jurors) _sync(task, round, number);
    }

    /// @inheritdoc ICourt
    function jreveal(
        uint256 task,
        uint32 round,
        uint8 number,
        uint8[] calldata rulings,
        bytes32[] calldata results,
        bytes32 salt
    ) external {
        Docket storage d = _inPhase(task, round, number, DocketPhase.JREVEAL);
        uint8 position = _juror(task, round, number);
        require(!d.revealed.has(position), Court_AlreadyDone(task, round, number, position));
        bytes32 hash = jurorHash(task, round, number, msg.sender, rulings, results, salt);
        require(d.said[position] == hash, Court_JurorMismatch(task, round, number, position));
        uint256 n = d.disputes.length;
        require(rulings.length == n && results.length == n, Court_BadRulings(rulings.length, n));
        d.said[position] = bytes32(_pack(d, position, rulings));
        d.revealed |= uint256(1) << position;
        emit JurorRevealed(task, round, number, position, rulings, results);
        if (d.revealed == d.committed) _sync(task, round, number);
    }

    /// @inheritdoc ICourt
    function advanceDocket(uint256 task, uint32 round, uint8 number) external {
        require(_sync(task, round, number), Court_NothingDue(task, round, number));
        ROUNDS.tip(task, round, msg.sender);
    }

    /// @inheritdoc ICourt
    function poke(uint256 task, uint32 round) public {
        _sync(task, round, 1);
        _sync(task, round, 2);
    }

    /// @inheritdoc ICourt
    function jurorHash(
        uint256 task,
        uint32 round,
        uint8 number,
        address juror,
        uint8[] calldata rulings,
        bytes32[] calldata results,
        bytes32 salt
    ) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), task, round, number, juror, rulings, results, salt));
    }

    // --- inside ---

    /// The docket, which must be in `phase` after whatever is due.
    function _inPhase(uint256 task, uint32 round, uint8 number, DocketPhase phase) private returns (Docket storage d) {
        d = _dockets[task][round][number];
        (DocketPhase now_, uint48 end) = _stage(task, round, number);
        if (now_ != phase || block.number > end) {
            _sync(task, round, number);
            (now_,) = _stage(task, round, number);
        }
        require(now_ == phase, Court_WrongPhase(task, round, number));
    }

    function _sync(uint256 task, uint32 round, uint8 number) private returns (bool changed) {
        Docket storage d = _dockets[task][round][number];
        (DocketPhase phase, uint256 end) = _stage(task, round, number);
        if (phase == DocketPhase.JCOMMIT && (block.number > end || d.committed == d.jurors)) {
            if (block.number <= end) end = block.number;
            (phase, end) = (DocketPhase.JREVEAL, end + TASKS.windowsOf(task).jreveal);
            _enter(task, round, number, phase, end);
            changed = true;
        }
        if (phase == DocketPhase.JREVEAL && (block.number > end || d.revealed == d.committed)) {
            _enter(task, round, number, DocketPhase.CLOSED, end);
            _judge(task, round, number);
            _fineAbsent(task, round, d.jurors & ~d.revealed);
            emit DocketClosed(task, round, number);
            changed = true;
        }
    }

    function _fineAbsent(uint256 task, uint32 round, uint256 absent) private {
        uint256 amount = TASKS.moneyOf(task).missedDuty;
        for (; absent != 0; absent &= absent - 1) {
            SLOTS.fine(task, Role.VERIFIER, uint8(absent.lowest()), round, amount, "jury");
        }
    }

    function _juror(uint256 task, uint32 round, uint8 number) private view returns (uint8) {
        (bool seated, Role role, uint8 position) = ROUNDS.memberOf(task, msg.sender);
        require(seated, ISlots.Slots_NoSlot(task, msg.sender));
        bool sits = role == Role.VERIFIER && _dockets[task][round][number].jurors.has(position);
        require(sits, Court_NotJuror(task, round, number, msg.sender));
        return position;
    }

    /// Rulings in four bits each; NONE where the juror may not sit.
    function _pack(Docket storage d, uint8 position, uint8[] calldata rulings) private view returns (uint256 word) {
        for (uint256 i; i < rulings.length; ++i) {
            require(rulings[i] < uint8(Ruling.HUNG), Court_BadRulings(rulings[i], uint8(Ruling.INDETERMINATE)));
            if (_eligible(d.jurors, d.disputes[i]).has(position)) word |= uint256(rulings[i]) << (4 * i);
        }
    }

    /// Index of the dispute about this very item, or the number of disputes.
    function _find(Docket storage d, Challenge calldata c) private view returns (uint256 i) {
        for (; i < d.disputes.length; ++i) {
            Dispute storage known = d.disputes[i];
            if (known.accused == c.slot && known.check == c.check && known.item == c.item) return i;
        }
    }
}
