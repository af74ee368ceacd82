// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "../interfaces/IRounds.sol";
import {ISlots} from "../interfaces/ISlots.sol";
import {Member, MemberLib} from "../libraries/Member.sol";
import {Role} from "../libraries/Types.sol";
import {RoundsStore} from "./RoundsStore.sol";

/// @title Who may act in a task. Slots decides it and writes it here, where every call of a round reads one word of it.
abstract contract RoundsMembers is IRounds, RoundsStore {
    modifier onlySlots() {
        require(msg.sender == address(SLOTS), Rounds_NotCore(msg.sender));
        _;
    }

    /// @inheritdoc IRounds
    function seat(uint256 task, Role role, uint8 position, address owner, address operator, bytes32 secretTip)
        external
        onlySlots
        returns (uint32 activeFrom)
    {
        bool free = operator != address(0) && _members[task][operator].isStranger();
        require(free, ISlots.Slots_OperatorTaken(task, operator));
        activeFrom = _progress[task].opened + 1;
        _members[task][operator] = MemberLib.create(owner, role, position, activeFrom);
        _owners[task][role][position] = owner;
        if (role == Role.VERIFIER) {
            _secrets[task][position] = secretTip;
        } else {
            _trainersOf[task][owner] |= uint64(1 << position);
            _commitments[task][position] = bytes32(type(uint256).max); // the first commit overwrites, as all others do
        }
    }

    /// @inheritdoc IRounds
    function convict(uint256 task, Role role, uint8 position, address operator) external onlySlots {
        _members[task][operator] = _members[task][operator].convict();
        if (role == Role.TRAINER) _convicts[task].trainers |= uint64(1 << position);
        else _convicts[task].verifiers |= 1 << position;
        _rounds[task][_progress[task].opened].flags |= CONVICTION;
    }

    /// @inheritdoc IRounds
    function memberOf(uint256 task, address operator) external view returns (bool seated, Role role, uint8 position) {
        Member m = _members[task][operator];
        return (!m.isStranger(), m.role(), m.position());
    }

    /// @inheritdoc IRounds
    function ownerOf(uint256 task, Role role, uint8 position) external view returns (address) {
        return _owners[task][role][position];
    }

    /// @inheritdoc IRounds
    function trainersOf(uint256 task, address owner) external view returns (uint64) {
        return _trainersOf[task][owner];
    }

    /// @inheritdoc IRounds
    function secretOf(uint256 task, uint8 position, address operator)
        external
        view
        returns (bytes32 last, uint32 opened)
    {
        return (_secrets[task][position], _members[task][operator].opened());
    }

    /// @inheritdoc IRounds
    function convicted(uint256 task, Role role) external view returns (uint256) {
        return role == Role.TRAINER ? _convicts[task].trainers : _convicts[task].verifiers;
    }

    /// The caller, who must sit in the task.
    function _caller(uint256 task) internal view returns (Member m) {
        m = _members[task][msg.sender];
        require(!m.isStranger(), ISlots.Slots_NoSlot(task, msg.sender));
    }

    /// The caller's position among the verifiers.
    function _verifier(uint256 task, uint32 number) internal view returns (uint8) {
        Member m = _caller(task);
        require(m.role() == Role.VERIFIER, Rounds_NotMember(task, number, msg.sender));
        return m.position();
    }
}
