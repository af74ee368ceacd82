// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IBeacon} from "../interfaces/IBeacon.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Bits} from "../libraries/Bits.sol";
import {Draw} from "../libraries/Draw.sol";
import {Payout} from "../libraries/Payout.sol";
import {Phase, Role, TaskParams, TaskState} from "../libraries/Types.sol";
import {Wired} from "../Wired.sol";
import {RoundsRules} from "./RoundsRules.sol";

/// @title The phases of a round. Every deadline counts from the last block of the phase before, or from the block with
/// which the beacon that it waits for became public, never from the call.
/// @notice The second half of Rounds, which runs it by delegatecall on its own storage: together they would exceed the
/// size limit of a contract (EIP-170). Called directly it moves nothing, since no core contract knows its address.
contract RoundsEngine is RoundsRules {
    using Bits for uint256;

    /// @dev Made by the constructor of Rounds, so the address that must match is the maker's.
    constructor(address[5] memory core) Wired(core, 3, msg.sender) {}

    // --- opening ---

    function open(uint256 task, uint32 number) external {
        if (number > 1) _sync(task, number - 1);
        TaskState state = TASKS.stateOf(task);
        bool listed = state == TaskState.LISTED || state == TaskState.RUNNING;
        require(listed, Rounds_NotReadyToOpen(task, number, "task is closed"));
        string memory obstacle_ = _obstacle(task);
        require(bytes(obstacle_).length == 0, Rounds_NotReadyToOpen(task, number, obstacle_));
        if (number == 1) {
            _copyTerms(task);
            TASKS.start(task);
        }
        _opened[task] = number;
        _freeze(task, number);
    }

    function _freeze(uint256 task, uint32 number) private {
        Round storage r = _rounds[task][number];
        Terms storage t = _terms[task];
        (uint64 trainers, uint256 verifiers) = SLOTS.freeze(task, number);
        (r.trainers, r.verifiers) = (trainers, verifiers);
        r.openBlock = uint64(block.number);
        r.seedTarget = IBeacon(t.beacon).targetAfter(uint64(block.number));
        uint256 reserve = Payout.reserve(TASKS.moneyOf(task), uint256(trainers).count(), verifiers.count(), t.committee);
        emit RoundOpened(task, number, trainers, verifiers, r.seedTarget);
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
            _settle(task, number, Phase.VOID);
            return true;
        }
        uint64 missing = r.trainers & ~r.committed;
        if (missing != 0) missing &= ~uint64(SLOTS.convicted(task, Role.TRAINER));
        (bool over, uint256 end) = _over(r, missing == 0);
        if (!over) return false;
        _fineAll(task, number, Role.TRAINER, missing, _terms[task].missedDuty, "commit");
        if (r.committed == 0) _settle(task, number, Phase.VOID);
        else _enter(task, number, Phase.ATTEST, end + _terms[task].windows.attest);
        return true;
    }

    function _readSeed(uint256 task, uint32 number, bytes32 value) private {
        Round storage r = _rounds[task][number];
        r.flags |= SEED_READ;
        r.seed = value;
        r.attesters = _committee(task, number, value, Draw.ATTEST);
        r.toAttest = r.attesters;
        _countdown[task] = type(uint256).max;
        emit BeaconRead(task, number, 0, value);
        emit CommitteeDrawn(task, number, 0, r.attesters);
    }

    function _stepAttest(uint256 task, uint32 number) private returns (bool) {
        Round storage r = _rounds[task][number];
        (bool over, uint256 end) = _over(r, r.held == r.committed || r.toAttest == 0);
        if (!over) return false;
        Terms storage t = _terms[task];
        // Whoever was spared by an early close has missed nothing.
        if (r.held != r.committed) _fineAll(task, number, Role.VERIFIER, r.toAttest, t.missedDuty, "attest");
        _fineAll(task, number, Role.TRAINER, r.committed & ~r.held, t.withheld, "withheld");
        if (r.held == 0) {
            _settle(task, number, Phase.VOID);
            return true;
        }
        r.sealTarget = IBeacon(t.beacon).targetAfter(uint64(end + t.windows.seal - 1));
        _enter(task, number, Phase.SEAL, end + t.windows.seal);
        return true;
    }

    function _stepSeal(uint256 task, uint32 number) private returns (bool) {
        Round storage r = _rounds[task][number];
        IBeacon beacon = IBeacon(_terms[task].beacon);
        if (!beacon.ready(r.sealTarget)) {
            if (!beacon.expired(r.sealTarget)) return false;
            _settle(task, number, Phase.VOID);
            return true;
        }
        r.flags |= SEAL_READ;
        uint256 since;
        (r.seal, since) = beacon.value(r.sealTarget);
        r.checkers = _committee(task, number, r.seal, Draw.CHECK);
        r.toVote = r.checkers;
        emit BeaconRead(task, number, 1, r.seal);
        emit CommitteeDrawn(task, number, 1, r.checkers);
        if (since < r.phaseEnd) since = r.phaseEnd;
        _enter(task, number, Phase.VOTE, since + _terms[task].windows.vote);
        return true;
    }

    function _stepVote(uint256 task, uint32 number) private returns (bool) {
        Round storage r = _rounds[task][number];
        (bool over, uint256 end) = _over(r, r.toVote == 0);
        if (!over) return false;
        _enter(task, number, Phase.REVEAL, end + _terms[task].windows.reveal);
        // Nobody to wait for: the reveals end in the block in which the vote did.
        if (_unrevealed(r) == 0) _endReveal(task, number, end);
        return true;
    }

    function _stepReveal(uint256 task, uint32 number) private returns (bool) {
        Round storage r = _rounds[task][number];
        (bool over, uint256 end) = _over(r, _unrevealed(r) == 0);
        if (over) _endReveal(task, number, end);
        return over;
    }

    function _endReveal(uint256 task, uint32 number, uint256 end) private {
        Round storage r = _rounds[task][number];
        uint256 silent = _unrevealed(r);
        _fineAll(task, number, Role.VERIFIER, silent, _terms[task].unrevealed, "reveal");
        _fineAll(task, number, Role.VERIFIER, r.toVote, _terms[task].missedDuty, "vote");
        r.lapsed |= silent;
        bool quorum = r.revealed.count() >= Payout.quorum(r.checkers.count());
        if (!quorum && !_is(r, SECOND_VOTE)) {
            r.flags |= SECOND_VOTE;
            uint256 added = r.verifiers & ~r.checkers & ~SLOTS.convicted(task, Role.VERIFIER);
            r.checkers |= added;
            r.toVote |= added;
            if (added != 0) emit CommitteeDrawn(task, number, 1, r.checkers);
            if (r.toVote != 0) {
                _enter(task, number, Phase.VOTE, end + _terms[task].windows.vote);
                return;
            }
            quorum = r.revealed.count() >= Payout.quorum(r.checkers.count());
        }
        _soften(task, number, end, quorum);
    }

    /// From here on the round's version is fixed, and what checkers challenged goes to court.
    function _soften(uint256 task, uint32 number, uint256 end, bool quorum) private {
        Round storage r = _rounds[task][number];
        Terms storage t = _terms[task];
        if (quorum) r.accepted = r.held & r.passed & ~r.challenged & ~uint64(SLOTS.convicted(task, Role.TRAINER));
        else r.flags |= NO_QUORUM;
        r.auditTarget = IBeacon(t.beacon).targetAfter(uint64(end + 1));
        emit Soft(task, number, r.accepted, r.challenged, quorum);
        _enter(task, number, Phase.CHALLENGE, end + t.windows.challenge);
        COURT.openDocket(task, number, 1, r.verifiers);
    }

    function _stepChallenge(uint256 task, uint32 number) private returns (bool) {
        Round storage r = _rounds[task][number];
        if (!_is(r, AUDIT_READ) && !_is(r, AUDITS_FILED)) {
            IBeacon beacon = IBeacon(_terms[task].beacon);
            if (beacon.ready(r.auditTarget)) {
                r.flags |= AUDIT_READ;
                uint256 since;
                (r.audit, since) = beacon.value(r.auditTarget);
                emit BeaconRead(task, number, 2, r.audit);
                _extend(task, number, since - 2 + _terms[task].windows.challenge);
                return true;
            }
            if (!beacon.expired(r.auditTarget)) return false; // an expired one means that nobody is audited
        }
        if (block.number <= r.phaseEnd) return false;
        if (!_is(r, AUDITS_FILED)) {
            r.flags |= AUDITS_FILED;
            if (_is(r, AUDIT_READ)) _slashSilent(task, number);
            COURT.openDocket(task, number, 2, r.verifiers);
            return true;
        }
        COURT.poke(task, number);
        (bool closed,,,) = COURT.outcome(task, number);
        if (closed) _settle(task, number, _is(r, NO_QUORUM) ? Phase.VOID : Phase.FINAL);
        return closed;
    }

    /// Audited checkers that showed no evidence. Whoever is convicted already is not slashed again.
    function _slashSilent(uint256 task, uint32 number) private {
        Round storage r = _rounds[task][number];
        uint256 left = r.revealed & ~r.posted & ~SLOTS.convicted(task, Role.VERIFIER);
        for (; left != 0; left &= left - 1) {
            uint8 position = uint8(left.lowest());
            (bool audited,,) = _auditOf(task, number, position);
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

    function _unrevealed(Round storage r) private view returns (uint256) {
        return r.checkers & ~r.toVote & ~r.revealed & ~r.lapsed;
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

    /// Ends a round for good: fixes who is paid, burns what is forfeited and returns what nobody can claim.
    function _settle(uint256 task, uint32 number, Phase phase) private {
        Round storage r = _rounds[task][number];
        (, uint64 guilty, uint64 cleared,) = COURT.outcome(task, number);
        uint64 convicts = uint64(SLOTS.convicted(task, Role.TRAINER));
        r.phase = phase;
        r.paid = (r.accepted | cleared) & ~guilty & ~convicts;
        r.forfeited = r.verifiers & SLOTS.convicted(task, Role.VERIFIER);
        // Forfeits burn: what is left after them goes back to the escrow, so they must be gone before.
        _burnForfeits(task, number, uint256(guilty | (r.accepted & convicts)).count());
        uint256 returned = _returnRest(task, number);
        while (_terminal(_rounds[task][_settledThrough[task] + 1].phase)) ++_settledThrough[task];
        emit PhaseChanged(task, number, phase, r.phaseEnd);
        emit Finalised(task, number, phase, r.paid, returned);
    }

    function _burnForfeits(uint256 task, uint32 number, uint256 guilty) private {
        Round storage r = _rounds[task][number];
        uint256 amount = guilty * _terms[task].price - COURT.spentOf(task, number);
        for (uint256 left = r.forfeited; left != 0; left &= left - 1) {
            amount += _verifierFees(task, number, uint8(left.lowest()));
        }
        VAULT.burn(_terms[task].token, Accounts.pot(task, number), amount);
    }

    function _returnRest(uint256 task, uint32 number) private returns (uint256 rest) {
        Round storage r = _rounds[task][number];
        Terms storage t = _terms[task];
        bytes32 pot = Accounts.pot(task, number);
        uint256 owed = uint256(r.paid).count() * t.price;
        uint256 seats = (r.attesters | r.revealed) & ~r.forfeited;
        for (; seats != 0; seats &= seats - 1) {
            owed += _verifierFees(task, number, uint8(seats.lowest()));
        }
        rest = VAULT.balanceOf(t.token, pot) - owed;
        VAULT.move(t.token, pot, Accounts.escrow(task), rest);
    }
}
