// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBeacon} from "../interfaces/IBeacon.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Bits} from "../libraries/Bits.sol";
import {Draw} from "../libraries/Draw.sol";
import {Panel} from "../libraries/Panel.sol";
import {Payout} from "../libraries/Payout.sol";
import {Phase, Role, TaskParams, TaskState, Verdict} from "../libraries/Types.sol";
import {Wired} from "../Wired.sol";
import {RoundsRules} from "./RoundsRules.sol";

/// @title The phases of a round. Every deadline counts from the last block of the phase before, or from the block with
/// which the beacon that it waits for became public, never from the call.
/// @notice The second half of Rounds, which runs it by delegatecall on its own storage: together they would exceed the
/// size limit of a contract (EIP-170). Called directly it moves nothing, since no core contract knows its address.
contract RoundsEngine is RoundsRules {
    using Bits for uint256;
    using Panel for mapping(uint256 => uint256);

    /// @dev Made by the constructor of Rounds, so the address that must match is the maker's.
    constructor(address[5] memory core) Wired(core, 3, msg.sender) {}

    // --- opening ---

    function open(uint256 task, uint32 number) external {
        if (number > 2) _sync(task, number - 2); // its audit may be ready and unread
        if (number > 1) _sync(task, number - 1);
        TaskState state = TASKS.stateOf(task);
        bool listed = state == TaskState.LISTED || state == TaskState.RUNNING;
        require(listed, Rounds_NotReadyToOpen(task, number, "task is closed"));
        string memory obstacle_ = _obstacle(task);
        require(bytes(obstacle_).length == 0, Rounds_NotReadyToOpen(task, number, obstacle_));
        if (number == 1) {
            _copyTerms(task);
            _layBallots(task);
            TASKS.start(task);
        }
        _progress[task].opened = number;
        _freeze(task, number);
    }

    function _freeze(uint256 task, uint32 number) private {
        Round storage r = _rounds[task][number];
        Terms storage t = _terms[task];
        (uint64 trainers, uint256 verifiers) = SLOTS.freeze(task, number);
        (r.trainers, r.verifiers) = (trainers, verifiers);
        uint64 seedTarget = IBeacon(t.beacon).targetAfter(uint64(block.number));
        (r.openBlock, r.seedTarget) = (uint48(block.number), uint48(seedTarget));
        (r.version, r.toAgree) = (UNREPORTED, uint8(Payout.quorum(t.committee)));
        uint256 reserve = Payout.reserve(TASKS.moneyOf(task), uint256(trainers).count(), verifiers.count(), t.committee);
        emit RoundOpened(task, number, trainers, verifiers, seedTarget);
        _enter(task, number, Phase.OPEN, block.number + t.windows.open);
        VAULT.move(t.token, Accounts.escrow(task), Accounts.pot(task, number), reserve);
    }

    function _copyTerms(uint256 task) internal {
        TaskParams memory p = TASKS.params(task);
        _terms[task] = Terms({
            beacon: p.beacon,
            committee: p.committee,
            segments: p.segments,
            segmentsPerChecker: p.segmentsPerChecker,
            rolloutsPerChecker: p.rolloutsPerChecker,
            groupsPerSegment: p.groupsPerSegment,
            token: p.token,
            auditRate: p.auditRate,
            rounds: p.rounds,
            windows: p.windows,
            price: p.money.price,
            checkFee: p.money.checkFee,
            attestFee: p.money.attestFee,
            tip: p.money.tip,
            missedDuty: p.money.missedDuty,
            unrevealed: p.money.unrevealed,
            withheld: p.money.withheld
        });
    }

    /// Fills the words that ballot hashes will overwrite, so that voting costs the same from the first round on.
    function _layBallots(uint256 task) private {
        for (uint256 seat; seat < _terms[task].committee; ++seat) {
            _ballots[task][0][seat] = _ballots[task][1][seat] = bytes32(type(uint256).max);
        }
    }

    // --- transitions ---

    /// Performs the transitions that are due; true if there were any.
    function sync(uint256 task, uint32 number) external returns (bool changed) {
        return _sync(task, number);
    }

    function _sync(uint256 task, uint32 number) private returns (bool changed) {
        while (_step(task, number)) changed = true;
    }

    /// Performs at most one transition.
    function _step(uint256 task, uint32 number) private returns (bool) {
        Phase phase = _rounds[task][number].phase;
        if (phase == Phase.OPEN) return _stepOpen(task, number);
        if (phase == Phase.ATTEST) return _stepAttest(task, number);
        if (phase == Phase.SEAL) return _stepSeal(task, number);
        if (phase == Phase.VOTE) return _stepVote(task, number);
        if (phase == Phase.REVEAL) return _stepReveal(task, number);
        if (phase == Phase.CHALLENGE) return _stepChallenge(task, number);
        return false;
    }

    function _stepOpen(uint256 task, uint32 number) private returns (bool) {
        Round storage r = _rounds[task][number];
        if (!_is(r, SEED_READ)) {
            IBeacon beacon = IBeacon(_terms[task].beacon);
            if (beacon.ready(r.seedTarget)) {
                (bytes32 seed, uint64 since) = beacon.value(r.seedTarget);
                _readSeed(task, number, seed);
                _extend(task, number, since - 1 + uint256(_terms[task].windows.open));
                return true;
            }
            if (!beacon.expired(r.seedTarget)) return false;
            _void(task, number);
            return true;
        }
        uint64 missing = r.trainers & ~r.committed;
        if (missing != 0 && _is(r, CONVICTION)) missing &= ~_convicts[task].trainers;
        (bool over, uint256 end) = _over(r, missing == 0);
        if (!over) return false;
        _fineAll(task, number, Role.TRAINER, missing, _terms[task].missedDuty, "commit");
        if (r.committed == 0) _void(task, number);
        else _enter(task, number, Phase.ATTEST, end + _terms[task].windows.attest);
        return true;
    }

    function _readSeed(uint256 task, uint32 number, bytes32 value) private {
        Round storage r = _rounds[task][number];
        r.flags |= SEED_READ;
        r.seed = value;
        uint256 attesters = _committee(task, number, value, Draw.ATTEST);
        r.panel.enrol(attesters, Panel.ATTESTER | Panel.TO_ATTEST);
        _countdown[task] = type(uint256).max;
        emit BeaconRead(task, number, 0, value);
        emit CommitteeDrawn(task, number, 0, attesters);
    }

    function _stepAttest(uint256 task, uint32 number) private returns (bool) {
        Round storage r = _rounds[task][number];
        uint256 silent = r.panel.where(Panel.TO_ATTEST, Panel.TO_ATTEST);
        (bool over, uint256 end) = _over(r, r.held == r.committed || silent == 0);
        if (!over) return false;
        Terms storage t = _terms[task];
        // Whoever was spared by an early close has missed nothing.
        if (r.held != r.committed) _fineAll(task, number, Role.VERIFIER, silent, t.missedDuty, "attest");
        _fineAll(task, number, Role.TRAINER, r.committed & ~r.held, t.withheld, "withheld");
        if (r.held == 0) {
            _void(task, number);
            return true;
        }
        r.sealTarget = uint48(IBeacon(t.beacon).targetAfter(uint64(end + t.windows.seal - 1)));
        _enter(task, number, Phase.SEAL, end + t.windows.seal);
        return true;
    }

    function _stepSeal(uint256 task, uint32 number) private returns (bool) {
        Round storage r = _rounds[task][number];
        IBeacon beacon = IBeacon(_terms[task].beacon);
        if (!beacon.ready(r.sealTarget)) {
            if (!beacon.expired(r.sealTarget)) return false;
            _void(task, number);
            return true;
        }
        r.flags |= SEAL_READ;
        (bytes32 value, uint256 since) = beacon.value(r.sealTarget);
        r.seal = value;
        uint256 checkers = _committee(task, number, value, Draw.CHECK);
        r.panel.lead(checkers);
        emit BeaconRead(task, number, 1, value);
        emit CommitteeDrawn(task, number, 1, checkers);
        if (since < r.phaseEnd) since = r.phaseEnd;
        _enter(task, number, Phase.VOTE, since + _terms[task].windows.vote);
        return true;
    }

    function _stepVote(uint256 task, uint32 number) private returns (bool) {
        Round storage r = _rounds[task][number];
        (bool over, uint256 end) = _over(r, !r.panel.any(Panel.TO_VOTE));
        if (!over) return false;
        _enter(task, number, Phase.REVEAL, end + _terms[task].windows.reveal);
        // Nobody to wait for: the reveals end in the block in which the vote did.
        if (!r.panel.any(Panel.TO_REVEAL)) _endReveal(task, number, end);
        return true;
    }

    function _stepReveal(uint256 task, uint32 number) private returns (bool) {
        Round storage r = _rounds[task][number];
        (bool over, uint256 end) = _over(r, !r.panel.any(Panel.TO_REVEAL));
        if (over) _endReveal(task, number, end);
        return over;
    }

    function _endReveal(uint256 task, uint32 number, uint256 end) private {
        Round storage r = _rounds[task][number];
        uint256 silent = r.panel.where(Panel.TO_REVEAL, Panel.TO_REVEAL);
        uint256 absent = r.panel.where(Panel.TO_VOTE, Panel.TO_VOTE);
        _fineAll(task, number, Role.VERIFIER, silent, _terms[task].unrevealed, "reveal");
        _fineAll(task, number, Role.VERIFIER, absent, _terms[task].missedDuty, "vote");
        if (silent != 0) r.panel.clear(Panel.TO_REVEAL); // they are out of a second attempt
        uint256 revealed = r.panel.where(Panel.REVEALED, Panel.REVEALED).count();
        uint256 checkers = r.panel.where(Panel.CHECKER, Panel.CHECKER);
        bool quorum = revealed >= Payout.quorum(checkers.count());
        if (!quorum && !_is(r, SECOND_VOTE)) {
            r.flags |= SECOND_VOTE;
            uint256 added = r.verifiers & ~checkers & ~_convicts[task].verifiers;
            r.panel.enrol(added, Panel.CHECKER | Panel.TO_VOTE);
            if (added != 0) emit CommitteeDrawn(task, number, 1, checkers | added);
            if (absent | added != 0) {
                _enter(task, number, Phase.VOTE, end + _terms[task].windows.vote);
                return;
            }
        }
        _soften(task, number, end, quorum);
    }

    /// From here on the round's version is fixed, and what checkers challenged goes to court.
    function _soften(uint256 task, uint32 number, uint256 end, bool quorum) private {
        Round storage r = _rounds[task][number];
        Terms storage t = _terms[task];
        uint64 accepted = quorum ? r.held & r.passed & ~r.challenged & ~_convicts[task].trainers : 0;
        if (!quorum) r.flags |= NO_QUORUM;
        (r.passed, r.auditTarget) = (accepted, uint48(IBeacon(t.beacon).targetAfter(uint64(end + 1))));
        emit Soft(task, number, accepted, r.challenged, quorum);
        _enter(task, number, Phase.CHALLENGE, end + t.windows.challenge);
        COURT.openDocket(task, number, 1, r.verifiers & ~_convicts[task].verifiers);
    }

    function _stepChallenge(uint256 task, uint32 number) private returns (bool) {
        Round storage r = _rounds[task][number];
        if (!_is(r, AUDIT_READ) && !_is(r, AUDITS_FILED)) {
            IBeacon beacon = IBeacon(_terms[task].beacon);
            if (beacon.ready(r.auditTarget)) {
                r.flags |= AUDIT_READ;
                (bytes32 value, uint256 since) = beacon.value(r.auditTarget);
                r.audit = value;
                emit BeaconRead(task, number, 2, value);
                _extend(task, number, since - 2 + _terms[task].windows.challenge);
                return true;
            }
            if (!beacon.expired(r.auditTarget)) return false; // an expired one means that nobody is audited
        }
        if (block.number <= r.phaseEnd) return false;
        if (!_is(r, AUDITS_FILED)) {
            r.flags |= AUDITS_FILED;
            if (_is(r, AUDIT_READ)) _slashSilent(task, number);
            COURT.openDocket(task, number, 2, r.verifiers & ~_convicts[task].verifiers);
            return true;
        }
        Verdict memory v = COURT.close(task, number);
        if (v.closed) _settle(task, number, _is(r, NO_QUORUM) ? Phase.VOID : Phase.FINAL, v);
        return v.closed;
    }

    /// Audited checkers that showed no evidence. Whoever is convicted already is not slashed again.
    function _slashSilent(uint256 task, uint32 number) private {
        Round storage r = _rounds[task][number];
        uint256 left = r.panel.where(Panel.REVEALED | Panel.POSTED, Panel.REVEALED) & ~_convicts[task].verifiers;
        for (; left != 0; left &= left - 1) {
            uint8 position = uint8(left.lowest());
            (, uint256 cell) = r.panel.find(position);
            (bool audited,,) = _auditOf(task, number, cell);
            if (audited) SLOTS.slash(task, Role.VERIFIER, position, number, 0);
        }
    }

    // --- helpers ---

    function _enter(uint256 task, uint32 number, Phase phase, uint256 phaseEnd) internal {
        Round storage r = _rounds[task][number];
        (r.phase, r.phaseEnd) = (phase, uint48(phaseEnd));
        emit PhaseChanged(task, number, phase, uint64(phaseEnd));
    }

    /// Moves the end of the present window back: nobody can do what it is for before its beacon is public.
    function _extend(uint256 task, uint32 number, uint256 end) private {
        Round storage r = _rounds[task][number];
        if (end > r.phaseEnd) _enter(task, number, r.phase, end);
    }

    /// Whether a window has ended, and its last block: this one if everybody has done what was asked.
    function _over(Round storage r, bool complete) private view returns (bool over, uint256 end) {
        if (block.number > r.phaseEnd) return (true, r.phaseEnd);
        return (complete, block.number);
    }

    function _committee(uint256 task, uint32 number, bytes32 beacon, uint256 kind) private view returns (uint256) {
        uint256 set = _rounds[task][number].verifiers;
        return Draw.sampleSet(Draw.committee(task, number, beacon, kind), set, set.count(), _terms[task].committee);
    }

    // --- settlement ---

    function _fineAll(uint256 task, uint32 number, Role role, uint256 set, uint256 amount, string memory duty) private {
        for (; set != 0; set &= set - 1) {
            SLOTS.fine(task, role, uint8(set.lowest()), number, amount, duty);
        }
    }

    /// Ends a round that never came before the court.
    function _void(uint256 task, uint32 number) private {
        Verdict memory none;
        _settle(task, number, Phase.VOID, none);
    }

    /// Ends a round for good: fixes who is paid, burns what is forfeited and returns what nobody can claim.
    function _settle(uint256 task, uint32 number, Phase phase, Verdict memory v) private {
        Round storage r = _rounds[task][number];
        (uint64 accepted, uint64 convicts) = (r.passed, _convicts[task].trainers);
        uint64 paid = (accepted | v.cleared) & ~v.guilty & ~convicts;
        (r.phase, r.paid) = (phase, paid);
        uint256 fallen = uint256(v.guilty | ((accepted | v.cleared) & convicts)).count();
        emit PhaseChanged(task, number, phase, r.phaseEnd);
        emit Finalised(task, number, phase, paid, _distribute(task, number, fallen, v.spent));
        uint32 through = _progress[task].settledThrough;
        while (_terminal(_rounds[task][through + 1].phase)) ++through;
        _progress[task].settledThrough = through;
    }

    /// Empties the pot: what `fallen` trainers have lost and not `spent` on juries burns, and so do the fees of convicted
    /// verifiers; what the others earned waits for their claims.
    function _distribute(uint256 task, uint32 number, uint256 fallen, uint256 spent) private returns (uint256 rest) {
        Round storage r = _rounds[task][number];
        Terms storage t = _terms[task];
        uint256 burned = fallen * t.price - spent;
        (uint256 attested, uint256 marked) = r.panel.work();
        uint256 owed = uint256(r.paid).count() * t.price + _fees(r, t, attested, marked);
        uint256 forfeited = r.verifiers & _convicts[task].verifiers;
        if (forfeited != 0) {
            r.forfeited = forfeited;
            uint256 lost = _forfeit(r, t, forfeited);
            (burned, owed) = (burned + lost, owed - lost);
        }
        return VAULT.settle(t.token, task, number, burned, owed);
    }

    /// The fees of convicts, who shall not claim them.
    function _forfeit(Round storage r, Terms storage t, uint256 convicts) private returns (uint256 lost) {
        for (; convicts != 0; convicts &= convicts - 1) {
            (uint256 seat, uint256 cell) = r.panel.find(convicts.lowest());
            if (cell == 0) continue;
            r.panel.toggle(seat, Panel.CLAIMED);
            lost += _fees(r, t, Panel.attested(cell) ? 1 : 0, Panel.markedBy(cell));
        }
    }
}
