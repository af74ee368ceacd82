// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "./interfaces/IRounds.sol";
import {Bits} from "./libraries/Bits.sol";
import {Head} from "./libraries/Head.sol";
import {Member} from "./libraries/Member.sol";
import {Panel} from "./libraries/Panel.sol";
import {Payout} from "./libraries/Payout.sol";
import {Phase, Role, RoundView} from "./libraries/Types.sol";
import {RoundsBallots} from "./rounds/RoundsBallots.sol";
import {RoundsFront} from "./rounds/RoundsFront.sol";
import {Wired} from "./Wired.sol";

/// @title Rounds: see IRounds.
contract Rounds is RoundsBallots {
    using Bits for uint256;
    using Panel for mapping(uint256 => uint256);

    constructor(address[5] memory core) Wired(core, 3, address(this)) RoundsFront(core) {}

    /// @inheritdoc IRounds
    function advance(uint256 task, uint32 round_) external {
        uint32 opened = _progress[task].opened;
        require(round_ > 0 && round_ <= opened + 1, Rounds_NotReadyToOpen(task, round_, "not the next round"));
        if (round_ > opened) _open(task, round_);
        else require(_sync(task, round_), Rounds_NothingDue(task, round_));
        _tip(task, round_, msg.sender);
    }

    /// @inheritdoc IRounds
    function poke(uint256 task, uint32 round_) external {
        _sync(task, round_);
    }

    /// @inheritdoc IRounds
    function commit(uint256 task, uint32 round_, bytes32 manifest, bytes32 receiptRoot, bytes32 leafRoot) external {
        Round storage r = _rounds[task][round_];
        Head h = _head(r);
        if (block.number > h.phaseEnd() || !h.has(SEED_READ)) {
            _sync(task, round_);
            h = _head(r);
        }
        require(h.isIn(Phase.OPEN, SEED_READ), Rounds_WrongPhase(task, round_, h.phase()));
        Member m = _caller(task);
        uint8 position = m.position();
        uint256 bit = 1 << position;
        bool seated = m.role() == Role.TRAINER && !m.isConvicted() && h.trainers() & bit != 0;
        require(seated, Rounds_NotMember(task, round_, msg.sender));
        require(h.committed() & bit == 0, Rounds_AlreadyDone(task, round_, position));
        h = h.commit(bit);
        _write(r, h);
        _commitments[task][position] = keccak256(abi.encode(manifest, receiptRoot, leafRoot));
        emit Committed(task, round_, position, manifest, receiptRoot, leafRoot);
        // Nobody waits for convicts: where there are any, the engine looks who is missing.
        if (h.committed() == h.trainers() || h.has(CONVICTION)) _sync(task, round_);
    }

    /// @inheritdoc IRounds
    function attest(uint256 task, uint32 round_, uint64 held) external {
        Round storage r = _inPhase(task, round_, Phase.ATTEST);
        uint8 position = _verifier(task, round_);
        (uint256 seat_, uint256 cell) = r.panel.find(position);
        require(cell & Panel.ATTESTER != 0, Rounds_NotMember(task, round_, msg.sender));
        require(cell & Panel.TO_ATTEST != 0, Rounds_AlreadyDone(task, round_, position));
        r.panel.toggle(seat_, Panel.TO_ATTEST);
        held &= r.committed;
        uint256 countdown = _countdown[task] - Bits.toNibbles(held);
        _countdown[task] = countdown;
        // Counted down from 15, the complement of a field is how many have attested to it.
        r.held = Bits.nibblesAtLeast(~countdown, Payout.quorum(_terms[task].committee)) & r.committed;
        emit Attested(task, round_, position, held);
        if (r.held == r.committed || !r.panel.any(Panel.TO_ATTEST)) _sync(task, round_);
    }

    /// @inheritdoc IRounds
    function vote(uint256 task, uint32 round_, bytes32 hash) external {
        Round storage r = _inPhase(task, round_, Phase.VOTE);
        uint8 position = _verifier(task, round_);
        (uint256 seat_, uint256 cell) = r.panel.find(position);
        require(cell & Panel.CHECKER != 0, Rounds_NotMember(task, round_, msg.sender));
        require(cell & Panel.TO_VOTE != 0, Rounds_AlreadyDone(task, round_, position));
        require(hash != 0, Rounds_BallotMismatch(task, round_, position));
        r.panel.toggle(seat_, Panel.TO_VOTE | Panel.TO_REVEAL);
        _ballots[task][round_ % 2][seat_] = hash;
        emit Voted(task, round_, position, hash);
        if (!r.panel.any(Panel.TO_VOTE)) _sync(task, round_);
    }

    // --- views ---

    /// @inheritdoc IRounds
    function round(uint256 task, uint32 round_) external view returns (RoundView memory v) {
        Round storage r = _rounds[task][round_];
        _viewPhase(r, v);
        _viewBeacons(r, v);
        _viewTrainers(r, v);
        _viewVerifiers(r, v);
    }

    /// @inheritdoc IRounds
    function nextRound(uint256 task) external view returns (uint32) {
        return _progress[task].opened + 1;
    }

    /// @inheritdoc IRounds
    function settledThrough(uint256 task) external view returns (uint32) {
        return _progress[task].settledThrough;
    }

    /// @inheritdoc IRounds
    function obstacle(uint256 task) external view returns (string memory) {
        return _obstacle(task);
    }

    /// @inheritdoc IRounds
    function frame(uint256 task, uint32 round_) external view returns (uint256 verifiers, uint64 phaseEnd) {
        Round storage r = _rounds[task][round_];
        return (r.verifiers, r.phaseEnd);
    }

    /// @inheritdoc IRounds
    function commitment(uint256 task, uint32 round_, uint8 position) external view returns (bytes32) {
        if (!uint256(_rounds[task][round_].committed).has(position)) return 0;
        for (uint32 later = _progress[task].opened; later > round_; --later) {
            if (uint256(_rounds[task][later].committed).has(position)) return 0;
        }
        return _commitments[task][position];
    }

    /// @inheritdoc IRounds
    function auditOf(uint256 task, uint32 round_, uint8 position) external view returns (bool, uint256, uint256) {
        Round storage r = _rounds[task][round_];
        require(_is(r, AUDIT_READ), Rounds_WrongPhase(task, round_, r.phase));
        (, uint256 cell) = r.panel.find(position);
        return _auditOf(task, round_, cell);
    }

    // --- inside ---

    function _viewPhase(Round storage r, RoundView memory v) private view {
        (v.phase, v.phaseEnd, v.openBlock) = (r.phase, r.phaseEnd, r.openBlock);
        v.attempt = _is(r, SECOND_VOTE) ? 1 : 0;
        if (_is(r, RECORDED)) v.version = r.version;
    }

    function _viewBeacons(Round storage r, RoundView memory v) private view {
        (v.seedTarget, v.sealTarget, v.auditTarget) = (r.seedTarget, r.sealTarget, r.auditTarget);
        (v.seed, v.seal, v.audit) = (r.seed, r.seal, r.audit);
    }

    function _viewTrainers(Round storage r, RoundView memory v) private view {
        (v.trainers, v.committed, v.held) = (r.trainers, r.committed, r.held);
        (v.challenged, v.paid) = (r.challenged, r.paid);
        if (r.phase >= Phase.CHALLENGE) v.accepted = r.passed;
    }

    function _viewVerifiers(Round storage r, RoundView memory v) private view {
        (v.verifiers, v.forfeited) = (r.verifiers, r.forfeited);
        v.attesters = r.panel.where(Panel.ATTESTER, Panel.ATTESTER);
        v.attested = r.panel.where(Panel.ATTESTER | Panel.TO_ATTEST, Panel.ATTESTER);
        v.checkers = r.panel.where(Panel.CHECKER, Panel.CHECKER);
        v.voted = r.panel.where(Panel.CHECKER | Panel.TO_VOTE, Panel.CHECKER);
        v.revealed = r.panel.where(Panel.REVEALED, Panel.REVEALED);
    }
}
