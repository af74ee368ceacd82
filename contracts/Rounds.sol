// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "./interfaces/IRounds.sol";
import {Bits} from "./libraries/Bits.sol";
import {Payout} from "./libraries/Payout.sol";
import {Phase, Role, RoundView} from "./libraries/Types.sol";
import {RoundsBallots} from "./rounds/RoundsBallots.sol";
import {RoundsFront} from "./rounds/RoundsFront.sol";
import {Wired} from "./Wired.sol";

/// @title Rounds: see IRounds.
contract Rounds is RoundsBallots {
    using Bits for uint256;

    constructor(address[5] memory core) Wired(core, 3, address(this)) RoundsFront(core) {}

    /// @inheritdoc IRounds
    function advance(uint256 task, uint32 round_) external {
        uint32 opened = _opened[task];
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
        // The usual commit has nothing to catch up with, and asks only once who has been convicted.
        if (block.number > r.phaseEnd || !_is(r, SEED_READ)) _sync(task, round_);
        require(r.phase == Phase.OPEN && _is(r, SEED_READ), Rounds_WrongPhase(task, round_, r.phase));
        (Role role, uint8 position, uint256 convicts) = SLOTS.member(task, msg.sender);
        bool seated = role == Role.TRAINER && (r.trainers & ~convicts).has(position);
        require(seated, Rounds_NotMember(task, round_, msg.sender));
        uint64 committed = r.committed;
        require(!uint256(committed).has(position), Rounds_AlreadyDone(task, round_, position));
        committed |= uint64(1 << position);
        r.committed = committed;
        _commitments[task][position] = keccak256(abi.encode(manifest, receiptRoot, leafRoot));
        emit Committed(task, round_, position, manifest, receiptRoot, leafRoot);
        if (r.trainers & ~convicts & ~uint256(committed) == 0) _sync(task, round_);
    }

    /// @inheritdoc IRounds
    function attest(uint256 task, uint32 round_, uint64 held) external {
        _sync(task, round_);
        Round storage r = _rounds[task][round_];
        require(r.phase == Phase.ATTEST, Rounds_WrongPhase(task, round_, r.phase));
        uint8 position = _verifier(task, round_);
        uint256 pending = r.toAttest;
        if (!pending.has(position)) _refuse(task, round_, position, r.attesters);
        held &= r.committed;
        uint256 countdown = _countdown[task] - Bits.toNibbles(held);
        (_countdown[task], r.toAttest) = (countdown, pending & ~(uint256(1) << position));
        // Counted down from 15, the complement of a field is how many have attested to it.
        r.held = Bits.nibblesAtLeast(~countdown, Payout.quorum(_terms[task].committee)) & r.committed;
        emit Attested(task, round_, position, held);
        _sync(task, round_);
    }

    /// @inheritdoc IRounds
    function vote(uint256 task, uint32 round_, bytes32 hash) external {
        _sync(task, round_);
        Round storage r = _rounds[task][round_];
        require(r.phase == Phase.VOTE, Rounds_WrongPhase(task, round_, r.phase));
        uint8 position = _verifier(task, round_);
        uint256 pending = r.toVote;
        if (!pending.has(position)) _refuse(task, round_, position, r.checkers);
        require(hash != 0, Rounds_BallotMismatch(task, round_, position));
        r.toVote = pending & ~(uint256(1) << position);
        _ballots[task][round_][position].word = hash;
        emit Voted(task, round_, position, hash);
        _sync(task, round_);
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
        return _opened[task] + 1;
    }

    /// @inheritdoc IRounds
    function settledThrough(uint256 task) external view returns (uint32) {
        return _settledThrough[task];
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
        for (uint32 later = _opened[task]; later > round_; --later) {
            if (uint256(_rounds[task][later].committed).has(position)) return 0;
        }
        return _commitments[task][position];
    }

    /// @inheritdoc IRounds
    function ballot(uint256 task, uint32 round_, uint8 position)
        external
        view
        returns (uint128 marks, bytes32 evidenceRoot)
    {
        if (!_rounds[task][round_].revealed.has(position)) return (0, 0);
        BallotRecord storage b = _ballots[task][round_][position];
        return (b.marks, b.word);
    }

    /// @inheritdoc IRounds
    function auditOf(uint256 task, uint32 round_, uint8 position) external view returns (bool, uint256, uint256) {
        Round storage r = _rounds[task][round_];
        require(_is(r, AUDIT_READ), Rounds_WrongPhase(task, round_, r.phase));
        return _auditOf(task, round_, position);
    }

    // --- inside ---

    /// The caller's position among the verifiers.
    function _verifier(uint256 task, uint32 number) private view returns (uint8 position) {
        Role role;
        (role, position) = SLOTS.slotOf(task, msg.sender);
        require(role == Role.VERIFIER, Rounds_NotMember(task, number, msg.sender));
    }

    function _refuse(uint256 task, uint32 number, uint8 position, uint256 members) private view {
        require(!members.has(position), Rounds_AlreadyDone(task, number, position));
        revert Rounds_NotMember(task, number, msg.sender);
    }

    function _viewPhase(Round storage r, RoundView memory v) private view {
        (v.phase, v.phaseEnd, v.openBlock) = (r.phase, r.phaseEnd, r.openBlock);
        v.attempt = _is(r, SECOND_VOTE) ? 1 : 0;
        v.version = r.version;
    }

    function _viewBeacons(Round storage r, RoundView memory v) private view {
        (v.seedTarget, v.sealTarget, v.auditTarget) = (r.seedTarget, r.sealTarget, r.auditTarget);
        (v.seed, v.seal, v.audit) = (r.seed, r.seal, r.audit);
    }

    function _viewTrainers(Round storage r, RoundView memory v) private view {
        (v.trainers, v.committed, v.held) = (r.trainers, r.committed, r.held);
        (v.challenged, v.accepted, v.paid) = (r.challenged, r.accepted, r.paid);
    }

    function _viewVerifiers(Round storage r, RoundView memory v) private view {
        (v.verifiers, v.attesters, v.checkers) = (r.verifiers, r.attesters, r.checkers);
        (v.attested, v.voted) = (r.attesters & ~r.toAttest, r.checkers & ~r.toVote);
        (v.revealed, v.forfeited) = (r.revealed, r.forfeited);
    }
}
