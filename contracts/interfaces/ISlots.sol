// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Role, Slot} from "../libraries/Types.sol";

/// @title Slots: who works in a task, with which keys and stake.
/// @notice A stake secures one slot of one task. Joins and exits take effect when the next round opens.
interface ISlots {
    event Joined(
        uint256 indexed task,
        Role indexed role,
        uint8 indexed position,
        address owner,
        address operator,
        uint16 quota,
        uint32 activeFrom
    );
    event Endpoint(uint256 indexed task, Role indexed role, uint8 indexed position, string url);
    event ExitRequested(uint256 indexed task, Role indexed role, uint8 indexed position, uint32 activeTo);
    event StakeReturned(uint256 indexed task, Role indexed role, uint8 indexed position, address owner, uint256 amount);
    event Fined(
        uint256 indexed task, Role indexed role, uint8 indexed position, uint32 round, uint256 taken, string duty
    );
    event Slashed(
        uint256 indexed task, Role indexed role, uint8 indexed position, uint32 round, uint256 taken, uint256 bounty
    );
    event Struck(uint256 indexed task, Role indexed role, uint8 indexed position, uint32 round, uint8 strikes);
    event Ejected(uint256 indexed task, Role indexed role, uint8 indexed position, uint32 activeTo);

    error Slots_NotCore(address caller);
    error Slots_TaskClosed(uint256 task);
    error Slots_Full(uint256 task, Role role, uint256 capacity);
    error Slots_BadQuota(uint16 quota, uint16 maxQuota);
    error Slots_WrongNumerics(bytes32 given, bytes32 required);
    error Slots_OperatorTaken(uint256 task, address operator);
    error Slots_NoSlot(uint256 task, address operator);
    error Slots_NotOwner(uint256 task, Role role, uint8 position, address caller);
    error Slots_StillActive(uint256 task, Role role, uint8 position, uint32 untilRound);
    error Slots_BadSecret(uint256 task, uint8 position);
    error Slots_BadEndpoint(uint256 length);

    /// @notice Takes a slot with the caller as owner; its stake comes out of the caller's free balance.
    /// @param secretTip end of a verifier's secret chain; 0 for trainers.
    /// @param endpoint where a trainer serves content; empty for verifiers, who publish none.
    function join(
        uint256 task,
        Role role,
        uint16 quota,
        address operator,
        bytes32 secretTip,
        bytes32 numericsId,
        string calldata endpoint
    ) external returns (uint8 position);

    /// @notice Announces where a trainer (operator or owner) serves content, at most 256 bytes.
    function announce(uint256 task, string calldata url) external;

    /// @notice Leaves at the next open. Owner or operator.
    function exit(uint256 task, Role role, uint8 position) external;

    /// @notice Returns the stake to the owner's free balance once the slot's last round is FINAL or VOID. Anyone.
    function withdrawStake(uint256 task, Role role, uint8 position) external;

    // --- core contracts only ---

    /// @notice The positions active in `round`, which is the next to open.
    function freeze(uint256 task, uint32 round) external returns (uint64 trainers, uint256 verifiers);

    /// @notice Burns a fine out of the stake.
    function fine(uint256 task, Role role, uint8 position, uint32 round, uint256 amount, string calldata duty) external;

    /// @notice Takes the slash out of the stake: bounty to `bountyAccount`, the rest burned; ejects and marks convicted.
    /// @return bounty what was moved to `bountyAccount`.
    function slash(uint256 task, Role role, uint8 position, uint32 round, bytes32 bountyAccount)
        external
        returns (uint256 bounty);

    /// @notice Adds a strike; true when it is the third within 100 rounds, which slashes.
    function strike(uint256 task, Role role, uint8 position, uint32 round) external returns (bool third);

    /// @notice Takes the slot out at the next open.
    function eject(uint256 task, Role role, uint8 position) external;

    // --- views ---

    /// @dev Reverts with `Slots_NoSlot` where `operator` has none.
    function slotOf(uint256 task, address operator) external view returns (Role role, uint8 position);
    function slot(uint256 task, Role role, uint8 position) external view returns (Slot memory);
    function count(uint256 task, Role role) external view returns (uint256);
    /// @notice Positions that would be active if the next round opened now.
    function ready(uint256 task) external view returns (uint64 trainers, uint256 verifiers);
    /// @notice Trainer positions that belong to the owner of this verifier.
    function ownTrainers(uint256 task, uint8 position) external view returns (uint64);
    /// @notice Positions ever convicted.
    function convicted(uint256 task, Role role) external view returns (uint256);
}
