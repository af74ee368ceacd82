// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {ISlots} from "../interfaces/ISlots.sol";
import {Bits} from "../libraries/Bits.sol";
import {Draw} from "../libraries/Draw.sol";
import {IndexTree} from "../libraries/IndexTree.sol";
import {Member} from "../libraries/Member.sol";
import {Panel} from "../libraries/Panel.sol";
import {Payout} from "../libraries/Payout.sol";
import {Secrets} from "../libraries/Secrets.sol";
import {Ballot, Challenge, Check, Phase} from "../libraries/Types.sol";
import {RoundsMoney} from "./RoundsMoney.sol";

/// @title Ballots: what a checker may say, the evidence behind it, and the versions it reports.
abstract contract RoundsBallots is RoundsMoney {
    using Bits for uint256;
    using Panel for mapping(uint256 => uint256);

    /// The one evidence leaf that an audited checker must show.
    struct Audit {
        uint8 position;
        uint256 seat;
        uint256 index;
        uint256 leaves;
    }

    uint256 private constant MAX_LEAF = 1024; // bytes
    uint256 private constant LEAF_HEAD = 256; // bytes: eight words before the evidence itself

    /// @inheritdoc IRounds
    function reveal(uint256 task, uint32 round_, Ballot calldata given) external {
        Round storage r = _inPhase(task, round_, Phase.REVEAL);
        (uint256 seat_, uint8 position) = _revealer(task, round_);
        _checkBallot(task, round_, seat_, position, given);
        (uint64 passed, uint64 challenged) = _checkMarks(task, round_, given);
        uint64 accused = _checkChallenges(task, round_, position, given);
        require(accused == challenged, Rounds_BadMarks(given.marks));
        (r.passed, r.challenged) = (r.passed | passed, r.challenged | challenged);
        uint256 counts = Panel.marks(uint256(passed).count(), uint256(challenged).count());
        r.panel.toggle(seat_, Panel.TO_REVEAL | Panel.REVEALED | counts);
        emit Revealed(task, round_, position, given);
        if (round_ > 1) _reportPrevious(task, round_, position, given.previousVersion);
        _openSecret(task, round_, given.secret);
        _fileAll(task, round_, position, given.challenges);
        if (!r.panel.any(Panel.TO_REVEAL)) _sync(task, round_);
    }

    /// @inheritdoc IRounds
    function postEvidence(
        uint256 task,
        uint32 round_,
        Ballot calldata given,
        bytes calldata leaf,
        bytes32[] calldata proof
    ) external {
        _sync(task, round_);
        Audit memory a = _asked(task, round_);
        _checkBallot(task, round_, a.seat, a.position, given);
        _checkLeaf(task, round_, a, given.marks, leaf);
        bool held = IndexTree.verify(given.evidenceRoot, leaf, a.index, a.leaves, proof);
        require(held, Rounds_BadEvidence("proof"));
        _rounds[task][round_].panel.toggle(a.seat, Panel.POSTED);
        emit EvidencePosted(task, round_, a.position, a.index, leaf);
        COURT.fileAudit(task, round_, a.position, uint32(a.index), keccak256(leaf));
    }

    /// @inheritdoc IRounds
    function reportHead(uint256 task, bytes32 version) external {
        uint32 last = _progress[task].opened;
        if (last != 0) _sync(task, last);
        Round storage r = _rounds[task][last];
        bool made = last != 0 && last == _terms[task].rounds && r.phase >= Phase.CHALLENGE;
        require(made, Rounds_WrongPhase(task, last, r.phase));
        uint8 position = _verifier(task, last);
        require(r.verifiers.has(position), Rounds_NotMember(task, last, msg.sender));
        require(!_headReported[task].has(position), Rounds_AlreadyDone(task, last, position));
        _headReported[task] |= 1 << position;
        emit VersionReported(task, last, position, version);
        if (version == 0 || version == UNREPORTED || _is(r, RECORDED)) return;
        if (++_reports[task][last][version] >= Payout.quorum(r.verifiers.count())) _record(task, last, version);
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
    function _revealer(uint256 task, uint32 number) private view returns (uint256 seat_, uint8 position) {
        position = _verifier(task, number);
        uint256 cell;
        (seat_, cell) = _rounds[task][number].panel.find(position);
        bool voted = cell & (Panel.CHECKER | Panel.TO_VOTE) == Panel.CHECKER;
        require(voted, Rounds_NotMember(task, number, msg.sender));
        require(cell & Panel.TO_REVEAL != 0, Rounds_AlreadyDone(task, number, position));
    }

    /// Only what the caller voted opens its seat's ballot.
    function _checkBallot(uint256 task, uint32 number, uint256 seat_, uint8 position, Ballot calldata given)
        private
        view
    {
        bool same = _ballots[task][number % 2][seat_] == ballotHash(task, number, msg.sender, given);
        require(same, Rounds_BallotMismatch(task, number, position));
    }

    /// PASS and CHALLENGE only on contributions that are held and not the checker's own.
    function _checkMarks(uint256 task, uint32 number, Ballot calldata given)
        private
        view
        returns (uint64 passed, uint64 challenged)
    {
        passed = Bits.everySecond(given.marks);
        challenged = Bits.everySecond(given.marks >> 1);
        uint64 allowed = _rounds[task][number].held & ~_trainersOf[task][_members[task][msg.sender].owner()];
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

    function _openSecret(uint256 task, uint32 number, bytes32 secret) private {
        Member m = _members[task][msg.sender];
        (uint8 position, uint256 index) = (m.position(), uint256(number) + 1 - m.activeFrom());
        bool fits = Secrets.follows(secret, index, _secrets[task][position], m.opened());
        require(fits, ISlots.Slots_BadSecret(task, position));
        _members[task][msg.sender] = m.withOpened(uint32(index));
        _secrets[task][position] = secret;
    }

    /// Someone convicted since the vote is beyond challenge; the ballot stands without it.
    function _fileAll(uint256 task, uint32 number, uint8 position, Challenge[] calldata challenges) private {
        if (challenges.length == 0) return;
        uint256 convicts = _convicts[task].trainers;
        for (uint256 i; i < challenges.length; ++i) {
            if (!convicts.has(challenges[i].slot)) COURT.file(task, number, position, challenges[i]);
        }
    }

    /// Counts a reveal's report of the version that the round before made.
    function _reportPrevious(uint256 task, uint32 number, uint8 position, bytes32 version) private {
        emit VersionReported(task, number - 1, position, version);
        Round storage r = _rounds[task][number];
        uint8 toAgree = r.toAgree;
        if (version == 0 || version == UNREPORTED || toAgree == 0) return;
        Round storage made = _rounds[task][number - 1];
        bytes32 first = made.version;
        if (first == UNREPORTED) made.version = first = version;
        if (first == version) --toAgree;
        else if (++_reports[task][number - 1][version] >= Payout.quorum(_terms[task].committee)) toAgree = 0;
        r.toAgree = toAgree;
        if (toAgree == 0) _record(task, number - 1, version);
    }

    function _record(uint256 task, uint32 number, bytes32 version) private {
        Round storage r = _rounds[task][number];
        (r.flags, r.version) = (r.flags | RECORDED, version);
        emit VersionRecorded(task, number, version);
    }

    /// Which leaf the caller must show now.
    function _asked(uint256 task, uint32 number) private view returns (Audit memory a) {
        Round storage r = _rounds[task][number];
        bool open = r.phase == Phase.CHALLENGE && block.number <= r.phaseEnd && _is(r, AUDIT_READ);
        require(open, Rounds_WrongPhase(task, number, r.phase));
        a.position = _verifier(task, number);
        uint256 cell;
        (a.seat, cell) = r.panel.find(a.position);
        require(cell & Panel.POSTED == 0, Rounds_AlreadyDone(task, number, a.position));
        bool audited;
        (audited, a.index, a.leaves) = _auditOf(task, number, cell);
        require(audited, Rounds_NotAudited(task, number, a.position));
    }

    /// The fixed fields of an evidence leaf; which item a draw gave, and the evidence itself, are for the jury.
    function _checkLeaf(uint256 task, uint32 number, Audit memory a, uint128 marks, bytes calldata leaf) private view {
        require(leaf.length > LEAF_HEAD && leaf.length <= MAX_LEAF, Rounds_BadEvidence("size"));
        Terms storage t = _terms[task];
        uint256 perSlot = uint256(t.segmentsPerChecker) + t.rolloutsPerChecker;
        uint256 passes = Bits.everySecond(marks);
        uint256 draw = a.index % perSlot;
        bool segment = draw < t.segmentsPerChecker;
        require(_word(leaf, 0) == task, Rounds_BadEvidence("task"));
        require(_word(leaf, 1) == number, Rounds_BadEvidence("round"));
        require(_word(leaf, 2) == a.position, Rounds_BadEvidence("seat"));
        require(_word(leaf, 3) == passes.nth(a.index / perSlot), Rounds_BadEvidence("slot"));
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
