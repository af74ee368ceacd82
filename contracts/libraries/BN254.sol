// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title BLS signatures on G1 of the curve BN254 (alt_bn128), with the precompiles of EIP-196, EIP-197 and EIP-198.
/// @notice y^2 = x^3 + 3 over the field of P elements. G1 is the whole curve, whose order is prime: a point on it is in
/// the group, and no point has y = 0.
library BN254 {
    uint256 internal constant P = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;

    // The negated generator of G2, in the order of EIP-197: imaginary before real part.
    uint256 private constant NEG_G2_X_IM = 0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2;
    uint256 private constant NEG_G2_X_RE = 0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed;
    uint256 private constant NEG_G2_Y_IM = 0x275dc4a288d1afb3cbb1ac09187524c7db36395df7be3b99e673b13a075a65ec;
    uint256 private constant NEG_G2_Y_RE = 0x1d9befcd05a5323e6da4d435f3b617cdb3af83285c2df711ef39c01571827f9d;

    // Constants of the Shallue-van de Woestijne map (RFC 9380, section 6.6.1) for Z = 1, g(x) = x^3 + 3.
    uint256 private constant C1 = 4; // g(Z)
    uint256 private constant C2 = (P - 1) / 2; // -Z / 2
    uint256 private constant C3 = 0x16789af3a83522eb353c98fc6b36d713d5d8d1cc5dffffffa; // sqrt(-3 g(Z)), even
    uint256 private constant C4 = 0x10216f7ba065e00de81ac1e7808072c9dd2b2385cd7b438469602eb24829a9bd; // -4 g(Z) / 3

    uint256 private constant BLOCK = 136; // bytes that keccak-256 absorbs at a time

    error BN254_PrecompileFailed(uint256 precompile);

    /// Whether a point with canonical coordinates is on the curve. The point at infinity, (0, 0), is not.
    function onCurve(uint256 x, uint256 y) internal pure returns (bool) {
        return mulmod(y, y, P) == _g(x);
    }

    /// Whether `key` is a point of G2, of the right order and not at infinity. Words in the order of EIP-197.
    function isKey(uint256[4] memory key) internal view returns (bool) {
        uint256[6] memory input = [0, 0, key[0], key[1], key[2], key[3]];
        // Refuses what is not in G2, and takes all the gas it has got; 79,000 is its price.
        (bool fine,) = address(8).staticcall{gas: 100_000}(abi.encodePacked(input));
        return fine && (key[0] | key[1] | key[2] | key[3]) != 0;
    }

    /// Whether e(signature, G2) = e(message, key). Both points must be on the curve, the key one that `isKey` accepts.
    function verify(uint256[2] memory signature, uint256[4] memory key, uint256[2] memory message)
        internal
        view
        returns (bool)
    {
        uint256[12] memory input = [
            signature[0],
            signature[1],
            NEG_G2_X_IM,
            NEG_G2_X_RE,
            NEG_G2_Y_IM,
            NEG_G2_Y_RE,
            message[0],
            message[1],
            key[0],
            key[1],
            key[2],
            key[3]
        ];
        (bool fine, bytes memory answer) = address(8).staticcall(abi.encodePacked(input));
        return fine && abi.decode(answer, (bool));
    }

    /// hash_to_curve of RFC 9380 for the suite BN254G1_XMD:KECCAK-256_SVDW_RO_; `domain` has at most 255 bytes.
    function hashToG1(string memory domain, bytes memory message) internal view returns (uint256[2] memory point) {
        (uint256 u0, uint256 u1) = hashToField(domain, message);
        (uint256 x0, uint256 y0) = mapToG1(u0);
        (uint256 x1, uint256 y1) = mapToG1(u1);
        (bool fine, bytes memory answer) = address(6).staticcall(abi.encode(x0, y0, x1, y1));
        require(fine, BN254_PrecompileFailed(6));
        return abi.decode(answer, (uint256[2]));
    }

    /// hash_to_field (section 5.2) with expand_message_xmd (section 5.3.1): two elements out of 48 bytes each.
    function hashToField(string memory domain, bytes memory message) internal pure returns (uint256 u0, uint256 u1) {
        bytes memory suffix = abi.encodePacked(domain, uint8(bytes(domain).length));
        bytes32 b0 = keccak256(abi.encodePacked(new bytes(BLOCK), message, uint16(96), uint8(0), suffix));
        bytes32 b1 = keccak256(abi.encodePacked(b0, uint8(1), suffix));
        bytes32 b2 = keccak256(abi.encodePacked(b0 ^ b1, uint8(2), suffix));
        bytes32 b3 = keccak256(abi.encodePacked(b0 ^ b2, uint8(3), suffix));
        u0 = addmod(mulmod(uint256(b1), 1 << 128, P), uint256(b2) >> 128, P);
        u1 = addmod(mulmod(uint128(uint256(b2)), addmod(type(uint256).max, 1, P), P), uint256(b3), P);
    }

    /// map_to_curve_svdw (section 6.6.1 and appendix F.1) of a field element.
    function mapToG1(uint256 u) internal view returns (uint256 x, uint256 y) {
        uint256 t1 = mulmod(mulmod(u, u, P), C1, P);
        uint256 t2 = addmod(1, t1, P);
        t1 = addmod(1, P - t1, P);
        uint256 t3 = _power(mulmod(t1, t2, P), P - 2); // inv0: the inverse, and 0 of 0
        uint256 t4 = mulmod(mulmod(mulmod(u, t1, P), t3, P), C3, P);
        bool square;
        (x, square, y) = _lift(addmod(C2, P - t4, P));
        if (!square) (x, square, y) = _lift(addmod(C2, t4, P));
        if (!square) {
            uint256 ratio = mulmod(mulmod(t2, t2, P), t3, P);
            (x,, y) = _lift(addmod(1, mulmod(mulmod(ratio, ratio, P), C4, P), P)); // a square where the others are not
        }
        if (u & 1 != y & 1) y = P - y;
    }

    /// The point with this x, if there is one.
    function _lift(uint256 x) private view returns (uint256, bool square, uint256 y) {
        uint256 gx = _g(x);
        y = _power(gx, (P + 1) / 4); // a root of every square, since P = 3 mod 4
        return (x, mulmod(y, y, P) == gx, y);
    }

    function _g(uint256 x) private pure returns (uint256) {
        return addmod(mulmod(mulmod(x, x, P), x, P), 3, P);
    }

    function _power(uint256 base, uint256 exponent) private view returns (uint256) {
        (bool fine, bytes memory answer) = address(5).staticcall(abi.encode(32, 32, 32, base, exponent, P));
        require(fine, BN254_PrecompileFailed(5));
        return abi.decode(answer, (uint256));
    }
}
