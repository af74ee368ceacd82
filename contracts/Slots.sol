// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISlots} from "./interfaces/ISlots.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {Bits} from "./libraries/Bits.sol";
import {Payout} from "./libraries/Payout.sol";
import {Money, Role, Slot, TaskParams, TaskState} from "./libraries/Types.sol";
import {Wired} from "./Wired.sol";

/// @title Slots: see ISlots.
contract Slots is ISlots, Wired {
    using Bits for uint256;

    uint256 private constant MAX_URL = 256; // bytes
    uint256 private constant MAX_VERIFIERS = 256;
    uint32 private constant STRIKE_ROUNDS = 100;

    /// Who is in a task. Bits of positions that leave are cleared at once, since rounds freeze copies.
    struct Roster {
        uint64 trainers;
        uint16 trainerCount;
        uint16 verifierCount;
        uint256 verifiers;
    }

    /// A slot without what Rounds keeps: its owner and its secrets.
    struct Terms {
        address operator;
        uint32 activeFrom;
        uint32 activeTo;
        uint16 quota;
        uint8 strikes;
        bool convicted;
        uint32 firstStrike;
        uint32 secondStrike; // the oldest once the first is forgotten
        bytes32 numericsId;
    }

    mapping(uint256 task => Roster) private _rosters;
    mapping(uint256 task => mapping(Role => mapping(uint8 position => Terms))) private _slots;
    constructor(address[5] memory core) Wired(core, 2, address(this)) {}

    modifier onlyCore() {
        require(_isCore(msg.sender), Slots_NotCore(msg.sender));
        _;
    }

    // --- joining and leaving ---

    /// @inheritdoc ISlots
    function join(
        uint256 task,
        Role role,
        uint16 quota,
        address operator,
        bytes32 secretTip,
        bytes32 numericsId,
        string calldata endpoint
    ) external returns (uint8 position) {
        TaskParams memory p = TASKS.params(task);
        _checkJoin(task, role, quota, secretTip, numericsId, p);
        _checkUrl(endpoint, role == Role.TRAINER ? MAX_URL : 0);
        position = _place(task, role, p.shardSlots);
        Terms storage s = _slots[task][role][position];
        (s.operator, s.quota, s.numericsId) = (operator, quota, numericsId);
        s.activeFrom = ROUNDS.seat(task, role, position, msg.sender, operator, secretTip);
        s.activeTo = type(uint32).max;
        if (bytes(endpoint).length > 0) emit Endpoint(task, role, position, endpoint);
        _bond(task, role, position, p);
    }

    /// @inheritdoc ISlots
    function announce(uint256 task, string calldata url) external {
        _checkUrl(url, MAX_URL);
        uint64 owned = ROUNDS.trainersOf(task, msg.sender);
        (bool seated, Role role, uint8 position) = ROUNDS.memberOf(task, msg.sender);
        if (seated && role == Role.TRAINER) owned |= uint64(1 << position);
        require(owned != 0, Slots_NoSlot(task, msg.sender));
        for (uint256 left = owned; left != 0; left &= left - 1) {
            emit Endpoint(task, Role.TRAINER, uint8(left.lowest()), url);
        }
    }

    /// @inheritdoc ISlots
    function exit(uint256 task, Role role, uint8 position) external {
        Terms storage s = _existing(task, role, position);
        bool own = msg.sender == s.operator || msg.sender == ROUNDS.ownerOf(task, role, position);
        require(own, Slots_NotOwner(task, role, position, msg.sender));
        require(s.activeTo == type(uint32).max, Slots_StillActive(task, role, position, s.activeTo));
        emit ExitRequested(task, role, position, _leave(task, role, position));
    }

    /// @inheritdoc ISlots
    function withdrawStake(uint256 task, Role role, uint8 position) external {
        Terms storage s = _existing(task, role, position);
        TaskState state = TASKS.stateOf(task);
        if (state != TaskState.FINISHED && state != TaskState.CANCELLED) {
            bool out = s.activeTo != type(uint32).max && ROUNDS.settledThrough(task) + 1 >= s.activeTo;
            require(out, Slots_StillActive(task, role, position, s.activeTo));
        }
        address token = TASKS.tokenOf(task);
        address owner = ROUNDS.ownerOf(task, role, position);
        bytes32 account = Accounts.stake(task, role, position);
        uint256 amount = VAULT.balanceOf(token, account);
        emit StakeReturned(task, role, position, owner, amount);
        VAULT.move(token, account, Accounts.free(owner), amount);
    }

    // --- core contracts only ---

    /// @inheritdoc ISlots
    function freeze(uint256 task, uint32) external view onlyCore returns (uint64, uint256) {
        return ready(task);
    }

    /// @inheritdoc ISlots
    function fine(uint256 task, Role role, uint8 position, uint32 round, uint256 amount, string calldata duty)
        external
        onlyCore
    {
        address token = TASKS.tokenOf(task);
        bytes32 account = Accounts.stake(task, role, position);
        uint256 stake = VAULT.balanceOf(token, account);
        uint256 taken = Payout.fine(stake, amount);
        emit Fined(task, role, position, round, taken, duty);
        VAULT.burn(token, account, taken);
        if (stake - taken < _slashOf(TASKS.moneyOf(task), role)) _eject(task, role, position);
    }

    /// @inheritdoc ISlots
    function slash(uint256 task, Role role, uint8 position, uint32 round, bytes32 bountyAccount)
        external
        onlyCore
        returns (uint256 bounty)
    {
        address token = TASKS.tokenOf(task);
        Money memory money = TASKS.moneyOf(task);
        bytes32 account = Accounts.stake(task, role, position);
        uint256 cap = role == Role.TRAINER ? money.trainerBountyCap : money.verifierBountyCap;
        if (bountyAccount == 0) cap = 0;
        uint256 taken;
        uint256 burned;
        (taken, bounty, burned) = Payout.slash(VAULT.balanceOf(token, account), _slashOf(money, role), cap);
        _convict(task, role, position);
        emit Slashed(task, role, position, round, taken, bounty);
        _eject(task, role, position);
        VAULT.move(token, account, bountyAccount, bounty);
        VAULT.burn(token, account, burned);
    }

    /// @inheritdoc ISlots
    function strike(uint256 task, Role role, uint8 position, uint32 round) external onlyCore returns (bool third) {
        Terms storage s = _slots[task][role][position];
        uint8 strikes = s.strikes;
        if (strikes == 2 && round >= s.firstStrike + STRIKE_ROUNDS) {
            (strikes, s.firstStrike) = (1, s.secondStrike);
        }
        if (strikes == 1 && round >= s.firstStrike + STRIKE_ROUNDS) strikes = 0;
        if (strikes == 0) s.firstStrike = round;
        if (strikes == 1) s.secondStrike = round;
        if (strikes < 3) ++strikes;
        s.strikes = strikes;
        emit Struck(task, role, position, round, strikes);
        return strikes == 3;
    }

    /// @inheritdoc ISlots
    function eject(uint256 task, Role role, uint8 position) external onlyCore {
        _eject(task, role, position);
    }

    // --- views ---

    /// @inheritdoc ISlots
    function ownTrainers(uint256 task, uint8 position) external view returns (uint64) {
        return ROUNDS.trainersOf(task, ROUNDS.ownerOf(task, Role.VERIFIER, position));
    }

    /// @inheritdoc ISlots
    function slot(uint256 task, Role role, uint8 position) external view returns (Slot memory v) {
        Terms storage s = _slots[task][role][position];
        (v.owner, v.operator) = (ROUNDS.ownerOf(task, role, position), s.operator);
        (v.activeFrom, v.activeTo, v.quota) = (s.activeFrom, s.activeTo, s.quota);
        (v.strikes, v.convicted, v.firstStrike) = (s.strikes, s.convicted, s.firstStrike);
        v.numericsId = s.numericsId;
        if (role == Role.VERIFIER) (v.secret, v.secretsOpened) = ROUNDS.secretOf(task, position, s.operator);
    }

    /// @inheritdoc ISlots
    function count(uint256 task, Role role) external view returns (uint256) {
        return role == Role.TRAINER ? _rosters[task].trainerCount : _rosters[task].verifierCount;
    }

    /// @inheritdoc ISlots
    function slotOf(uint256 task, address operator) external view returns (Role role, uint8 position) {
        bool seated;
        (seated, role, position) = ROUNDS.memberOf(task, operator);
        require(seated, Slots_NoSlot(task, operator));
    }

    /// @inheritdoc ISlots
    function ready(uint256 task) public view returns (uint64 trainers, uint256 verifiers) {
        return (_rosters[task].trainers, _rosters[task].verifiers);
    }

    /// @inheritdoc ISlots
    function convicted(uint256 task, Role role) external view returns (uint256) {
        return ROUNDS.convicted(task, role);
    }

    // --- inside ---

    function _checkJoin(
        uint256 task,
        Role role,
        uint16 quota,
        bytes32 secretTip,
        bytes32 numericsId,
        TaskParams memory p
    ) private view {
        TaskState state = TASKS.stateOf(task);
        bool open = state == TaskState.LISTED || state == TaskState.RUNNING;
        require(open && ROUNDS.nextRound(task) <= p.rounds, Slots_TaskClosed(task));
        require(quota > 0 && quota <= p.maxQuota, Slots_BadQuota(quota, p.maxQuota));
        require(numericsId == p.numericsId, Slots_WrongNumerics(numericsId, p.numericsId));
        bool secretFits = (role == Role.VERIFIER) == (secretTip != 0);
        require(secretFits, Slots_BadSecret(task, 0));
    }

    /// Takes the next position of a role.
    function _place(uint256 task, Role role, uint256 trainerCapacity) private returns (uint8 position) {
        Roster storage r = _rosters[task];
        if (role == Role.TRAINER) {
            require(r.trainerCount < trainerCapacity, Slots_Full(task, role, trainerCapacity));
            position = uint8(r.trainerCount++);
            r.trainers |= uint64(1 << position);
        } else {
            require(r.verifierCount < MAX_VERIFIERS, Slots_Full(task, role, MAX_VERIFIERS));
            position = uint8(r.verifierCount++);
            r.verifiers |= 1 << position;
        }
    }

    /// Takes the stake of a slot just registered.
    function _bond(uint256 task, Role role, uint8 position, TaskParams memory p) private {
        Terms storage s = _slots[task][role][position];
        emit Joined(task, role, position, msg.sender, s.operator, s.quota, s.activeFrom);
        uint256 stake = s.quota * uint256(role == Role.TRAINER ? p.money.trainerStake : p.money.verifierStake);
        VAULT.move(p.token, Accounts.free(msg.sender), Accounts.stake(task, role, position), stake);
    }

    function _checkUrl(string calldata url, uint256 limit) private pure {
        require(bytes(url).length <= limit, Slots_BadEndpoint(bytes(url).length));
    }

    function _leave(uint256 task, Role role, uint8 position) private returns (uint32 activeTo) {
        activeTo = ROUNDS.nextRound(task);
        _slots[task][role][position].activeTo = activeTo;
        if (role == Role.TRAINER) _rosters[task].trainers &= ~uint64(1 << position);
        else _rosters[task].verifiers &= ~(uint256(1) << position);
    }

    function _eject(uint256 task, Role role, uint8 position) private {
        if (_slots[task][role][position].activeTo != type(uint32).max) return;
        emit Ejected(task, role, position, _leave(task, role, position));
    }

    function _convict(uint256 task, Role role, uint8 position) private {
        Terms storage s = _slots[task][role][position];
        s.convicted = true;
        ROUNDS.convict(task, role, position, s.operator);
    }

    function _existing(uint256 task, Role role, uint8 position) private view returns (Terms storage s) {
        s = _slots[task][role][position];
        require(s.operator != address(0), Slots_NoSlot(task, msg.sender));
    }

    function _slashOf(Money memory money, Role role) private pure returns (uint256) {
        return role == Role.TRAINER ? money.trainerSlash : money.verifierSlash;
    }
}
