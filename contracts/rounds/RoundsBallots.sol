// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {Bits} from "../libraries/Bits.sol";
import {Draw} from "../libraries/Draw.sol";
import {IndexTree} from "../libraries/IndexTree.sol";
import {Payout} from "../libraries/Payout.sol";
import {Ballot, Challenge, Check, Phase, Role} from "../libraries/Types.sol";
import {RoundsMoney} from "./RoundsMoney.sol";

/// @title Ballots: what a checker may say, the evidence behind it, and the versions it reports.
abstract contract RoundsBallots is RoundsMoney {
    using Bits for uint256;

    uint256 private constant MAX_LEAF = 1024; // bytes
    uint256 private constant LEAF_HEAD = 256; // bytes: eight words before the evidence itself

    /// @inheritdoc IRounds
    function reveal(uint256 task, uint32 round_, Ballot calldata given) external {
        _sync(task, round_);
        uint8 position = _revealer(task, round_);
        BallotRecord storage b = _ballots[task][round_][position];
        require(b.word == ballotHash(task, round_, msg.sender, given), Rounds_BallotMismatch(task, round_, position));
        (uint64 passed, uint64 challenged) = _checkMarks(task, round_, position, given);
        uint64 filed = _checkChallenges(task, round_, position, given);
        require(filed == challenged, Rounds_BadMarks(given.marks));
        (b.word, b.marks) = (given.evidenceRoot, given.marks);
        _count(task, round_, position, passed, challenged);
        emit Revealed(task, round_, position, given);
        if (round_ > 1) _report(task, round_ - 1, position, given.previousVersion, _terms[task].committee);
        SLOTS.openSecret(task, position, round_, given.secret);
        _fileAll(task, round_, position, given.challenges);
        _sync(task, round_);
    }

    /// @inheritdoc IRounds
    function postEvidence(uint256 task, uint32 round_, bytes calldata leaf, bytes32[] calldata proof) external {
        _sync(task, round_);
        Round storage r = _rounds[task][round_];
        bool open = r.phase == Phase.CHALLENGE && block.number <= r.phaseEnd && _is(r, AUDIT_READ);
        require(open, Rounds_WrongPhase(task, round_, r.phase));
        (Role role, uint8 position) = SLOTS.slotOf(task, msg.sender);
        require(role == Role.VERIFIER, Rounds_NotMember(task, round_, msg.sender));
        require(!r.posted.has(position), Rounds_AlreadyDone(task, round_, position));
        r.posted |= 1 << position;
        uint256 index = _checkEvidence(task, round_, position, leaf, proof);
        emit EvidencePosted(task, round_, position, index, leaf);
        COURT.fileAudit(task, round_, position, uint32(index), keccak256(leaf));
    }

    /// @inheritdoc IRounds
    function reportHead(uint256 task, bytes32 version) external {
        uint32 last = _opened[task];
        if (last != 0) _sync(task, last);
        Round storage r = _rounds[task][last];
        bool made = last != 0 && last == _terms[task].rounds && r.phase >= Phase.CHALLENGE;
        require(made, Rounds_WrongPhase(task, last, r.phase));
        (Role role, uint8 position) = SLOTS.slotOf(task, msg.sender);
        bool seated = role == Role.VERIFIER && r.verifiers.has(position);
        require(seated, Rounds_NotMember(task, last, msg.sender));
        require(!_headReported[task].has(position), Rounds_AlreadyDone(task, last, position));
        _headReported[task] |= 1 << position;
        _report(task, last, position, version, r.verifiers.count());
    }

    /// @inheritdoc IRounds
    function ballotHash(uint256 task, uint32 round_, address voter, Ballot calldata given)
        public
        view
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                block.chainid,
                address(this),
                task,
                round_,
                uint256(0), // shard
                voter,
                given.marks,
                given.challenges,
                given.evidenceRoot,
                given.previousVersion,
                given.secret,
                given.salt
            )
        );
    }

    /// Whose ballot the caller may open now.
    function _revealer(uint256 task, uint32 number) private view returns (uint8 position) {
        Round storage r = _rounds[task][number];
        require(r.phase == Phase.REVEAL, Rounds_WrongPhase(task, number, r.phase));
        Role role;
        (role, position) = SLOTS.slotOf(task, msg.sender);
        bool voted = role == Role.VERIFIER && (r.checkers & ~r.toVote).has(position);
        require(voted, Rounds_NotMember(task, number, msg.sender));
        bool done = r.revealed.has(position) || (_is(r, SECOND_VOTE) && r.lapsed.has(position));
        require(!done, Rounds_AlreadyDone(task, number, position));
    }

    /// PASS and CHALLENGE only on contributions that are held and not the checker's own.
    function _checkMarks(uint256 task, uint32 number, uint8 position, Ballot calldata given)
        private
        view
        returns (uint64 passed, uint64 challenged)
    {
        passed = Bits.everySecond(given.marks);
        challenged = Bits.everySecond(given.marks >> 1);
        uint64 allowed = _rounds[task][number].held & ~SLOTS.ownTrainers(task, position);
        bool fine = passed & challenged == 0 && (passed | challenged) & ~allowed == 0;
        require(fine, Rounds_BadMarks(given.marks));
    }

    /// The set of the accused, after a look at every item: only what this checker's own draw gave it can be challenged.
    function _checkChallenges(uint256 task, uint32 number, uint8 position, Ballot calldata given)
        private
        view
        returns (uint64 accused)
    {
        for (uint256 i; i < given.challenges.length; ++i) {
            Challenge calldata c = given.challenges[i];
            require(c.slot < 64, Rounds_BadChallenge(i, "slot"));
            require(c.check <= Check.AVAILABLE, Rounds_BadChallenge(i, "check"));
            accused |= uint64(1 << c.slot);
            bool drawn = c.check <= Check.ENCODE
                ? c.item == 0
                : _isDrawn(task, number, position, given.secret, c.slot, c.check, c.item);
            require(drawn, Rounds_BadChallenge(i, "item"));
        }
    }

    function _isDrawn(uint256 task, uint32 number, uint8 position, bytes32 secret, uint8 slot, Check check, uint32 item)
        private
        view
        returns (bool)
    {
        Terms storage t = _terms[task];
        if (check == Check.AVAILABLE && item == t.segments) return true; // the contribution as a whole
        Draw.Source memory source =
            Draw.seated(task, number, _rounds[task][number].seal, secret, position, slot, Draw.SEGMENT);
        uint256[] memory segments = Draw.sample(source, t.segments, t.segmentsPerChecker);
        if (check != Check.ROLLOUT) return _contains(segments, item);
        source.kind = Draw.ROLLOUT;
        uint256 first = segments[0] * t.groupsPerSegment; // groups are drawn inside the first drawn segment
        return item >= first && _contains(Draw.sample(source, t.groupsPerSegment, t.rolloutsPerChecker), item - first);
    }

    function _count(uint256 task, uint32 number, uint8 position, uint64 passed, uint64 challenged) private {
        Round storage r = _rounds[task][number];
        r.passed |= passed;
        r.challenged |= challenged;
        r.revealed |= 1 << position;
    }

    /// Someone convicted since the vote is beyond challenge; the ballot stands without it.
    function _fileAll(uint256 task, uint32 number, uint8 position, Challenge[] calldata challenges) private {
        if (challenges.length == 0) return;
        uint256 convicts = SLOTS.convicted(task, Role.TRAINER);
        for (uint256 i; i < challenges.length; ++i) {
            if (!convicts.has(challenges[i].slot)) COURT.file(task, number, position, challenges[i]);
        }
    }

    function _report(uint256 task, uint32 number, uint8 position, bytes32 version, uint256 seats) private {
        emit VersionReported(task, number, position, version);
        Round storage r = _rounds[task][number];
        if (r.version != 0 || version == 0) return;
        uint256 reports = ++_reports[task][number][version];
        if (reports < Payout.quorum(seats)) return;
        r.version = version;
        emit VersionRecorded(task, number, version);
    }

    /// The index of the leaf that the audit beacon asked this seat for, after a look at leaf and proof.
    function _checkEvidence(uint256 task, uint32 number, uint8 position, bytes calldata leaf, bytes32[] calldata proof)
        private
        view
        returns (uint256)
    {
        (bool audited, uint256 index, uint256 leaves) = _auditOf(task, number, position);
        require(audited, Rounds_NotAudited(task, number, position));
        _checkLeaf(task, number, position, index, leaf);
        bytes32 root = _ballots[task][number][position].word;
        require(IndexTree.verify(root, leaf, index, leaves, proof), Rounds_BadEvidence("proof"));
        return index;
    }

    /// The fixed fields of an evidence leaf; which item a draw gave, and the evidence itself, are for the jury.
    function _checkLeaf(uint256 task, uint32 number, uint8 position, uint256 index, bytes calldata leaf) private view {
        require(leaf.length > LEAF_HEAD && leaf.length <= MAX_LEAF, Rounds_BadEvidence("size"));
        Terms storage t = _terms[task];
        uint256 perSlot = uint256(t.segmentsPerChecker) + t.rolloutsPerChecker;
        uint256 passes = Bits.everySecond(_ballots[task][number][position].marks);
        uint256 draw = index % perSlot;
        bool segment = draw < t.segmentsPerChecker;
        require(_word(leaf, 0) == task, Rounds_BadEvidence("task"));
        require(_word(leaf, 1) == number, Rounds_BadEvidence("round"));
        require(_word(leaf, 2) == position, Rounds_BadEvidence("seat"));
        require(_word(leaf, 3) == passes.nth(index / perSlot), Rounds_BadEvidence("slot"));
        require(_word(leaf, 4) == uint256(segment ? Check.SEGMENT : Check.ROLLOUT), Rounds_BadEvidence("kind"));
        require(_word(leaf, 5) == (segment ? draw : draw - t.segmentsPerChecker), Rounds_BadEvidence("draw"));
        require(_word(leaf, 7) == uint160(msg.sender), Rounds_BadEvidence("operator"));
    }

    function _word(bytes calldata leaf, uint256 i) private pure returns (uint256) {
        return uint256(bytes32(leaf[32 * i:32 * i + 32]));
    }

    function _contains(uint256[] memory values, uint256 value) private pure returns (bool) {
        for (uint256 i; i < values.length; ++i) {
            if (values[i] == value) return true;
        }
        return false;
    }
}
