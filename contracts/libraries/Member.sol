// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Role} from "./Types.sol";

/// Who an operator is, in one word: owner (160 bits), position (8), role (8), convicted (8), first round (32), secrets
/// opened (32). 0 is a stranger.
type Member is uint256;

using MemberLib for Member global;

library MemberLib {
    uint256 private constant POSITION = 160;
    uint256 private constant ROLE = 168;
    uint256 private constant CONVICTED = 1 << 176;
    uint256 private constant ACTIVE_FROM = 184;
    uint256 private constant OPENED = 216;

    function create(address owner_, Role role_, uint8 position_, uint32 activeFrom_) internal pure returns (Member) {
        uint256 place = uint256(position_) << POSITION | uint256(role_) << ROLE;
        return Member.wrap(uint256(uint160(owner_)) | place | uint256(activeFrom_) << ACTIVE_FROM);
    }

    function isStranger(Member m) internal pure returns (bool) {
        return Member.unwrap(m) == 0;
    }

    function owner(Member m) internal pure returns (address) {
        return address(uint160(Member.unwrap(m)));
    }

    function position(Member m) internal pure returns (uint8) {
        return uint8(Member.unwrap(m) >> POSITION);
    }

    function role(Member m) internal pure returns (Role) {
        return Role(uint8(Member.unwrap(m) >> ROLE));
    }

    function isConvicted(Member m) internal pure returns (bool) {
        return Member.unwrap(m) & CONVICTED != 0;
    }

    function activeFrom(Member m) internal pure returns (uint32) {
        return uint32(Member.unwrap(m) >> ACTIVE_FROM);
    }

    function opened(Member m) internal pure returns (uint32) {
        return uint32(Member.unwrap(m) >> OPENED);
    }

    function convict(Member m) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(m) | CONVICTED);
    }

    function withOpened(Member m, uint32 count) internal pure returns (Member) {
        uint256 others = Member.unwrap(m) & ~(uint256(type(uint32).max) << OPENED);
        return Member.wrap(others | uint256(count) << OPENED);
    }
}
