"""A drand network whose key the tests hold, and its hash to the curve, straight from RFC 9380 and py_ecc."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from itertools import chain

from py_ecc.optimized_bn128 import (
    FQ,
    FQ2,
    G1,
    G2,
    b2,
    curve_order,
    field_modulus,
    is_inf,
    multiply,
    neg,
    normalize,
    pairing,
)
from py_ecc.optimized_bn128 import add as add_points

from kizuna.hashing import keccak

P = field_modulus
SUITE = b"BN254G1_XMD:KECCAK-256_SVDW_RO_"
DOMAIN = b"BLS_SIG_" + SUITE + b"NUL_"

Point = tuple[int, int]


# --- RFC 9380 ---


def expand_message_xmd(message: bytes, domain: bytes, length: int) -> bytes:
    """Section 5.3.1, with keccak-256: 32 bytes out, 136 bytes a block."""
    suffix = domain + bytes([len(domain)])
    first = keccak(bytes(136) + message + length.to_bytes(2, "big") + b"\0" + suffix)
    blocks = [keccak(first + b"\x01" + suffix)]
    for i in range(2, -(-length // 32) + 1):
        mixed = bytes(x ^ y for x, y in zip(first, blocks[-1], strict=True))
        blocks.append(keccak(mixed + bytes([i]) + suffix))
    return b"".join(blocks)[:length]


def hash_to_field(message: bytes, domain: bytes) -> tuple[int, int]:
    """Section 5.2: two elements, 48 bytes each."""
    expanded = expand_message_xmd(message, domain, 96)
    return int.from_bytes(expanded[:48], "big") % P, int.from_bytes(expanded[48:], "big") % P


def map_to_curve(u: int) -> Point:
    """Section 6.6.1 for y^2 = g(x) = x^3 + 3 and Z = 1, as its formulas stand."""
    z, gz = 1, 4
    tv1 = u * u * gz % P
    tv2 = (1 + tv1) % P
    tv1 = (1 - tv1) % P
    tv3 = _inv0(tv1 * tv2)
    tv4 = _even_root(-gz * 3 * z * z)
    tv5 = u * tv1 * tv3 * tv4 % P
    tv6 = -4 * gz * _inv0(3 * z * z) % P
    half = -z * _inv0(2)
    candidates = (half - tv5, half + tv5, z + tv6 * (tv2 * tv2 * tv3) ** 2)
    x = next(x % P for x in candidates if _is_square(x**3 + 3))
    y = _even_root(x**3 + 3)
    return x, y if u % 2 == 0 else P - y


def hash_to_g1(message: bytes, domain: bytes = DOMAIN) -> Point:
    """Section 3, hash_to_curve; the cofactor is 1."""
    first, second = (map_to_curve(u) for u in hash_to_field(message, domain))
    return _affine(add_points(_g1(first), _g1(second)))


def _is_square(a: int) -> bool:
    return pow(a % P, (P - 1) // 2, P) in (0, 1)


def _even_root(a: int) -> int:
    root = pow(a % P, (P + 1) // 4, P)
    assert root * root % P == a % P
    return root if root % 2 == 0 else P - root


def _inv0(a: int) -> int:
    return pow(a % P, P - 2, P)


# --- drand ---


def message(round: int) -> bytes:
    """What an unchained network on BN254 signs."""
    return keccak(round.to_bytes(8, "big"))


def encode_g1(point: Point) -> bytes:
    return b"".join(word.to_bytes(32, "big") for word in point)


def is_signed(key: bytes, round: int, signature: bytes) -> bool:
    """The BLS equation by py_ecc's pairing."""
    x_im, x_re, y_im, y_re = (int.from_bytes(key[i : i + 32], "big") for i in range(0, 128, 32))
    public = (FQ2([x_re, x_im]), FQ2([y_re, y_im]), FQ2.one())
    point = _g1((int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")))
    assert public[1] ** 2 - public[0] ** 3 == b2
    return pairing(G2, point) == pairing(public, _g1(hash_to_g1(message(round))))


@dataclass(frozen=True, slots=True)
class Signer:
    """All of a network's shares in one hand."""

    secret: int

    @property
    def key(self) -> bytes:
        """The public key as drand writes it: imaginary before real parts, x before y."""
        return _key(*normalize(multiply(G2, self.secret)))

    def sign(self, round: int) -> bytes:
        return encode_g1(_affine(multiply(_g1(hash_to_g1(message(round))), self.secret)))

    def beacon(self, round: int) -> dict[str, object]:
        """What an HTTP endpoint of the network answers."""
        signature = self.sign(round)
        return {"round": round, "randomness": sha256(signature).hexdigest(), "signature": signature.hex()}


def stray_key() -> bytes:
    """A point on the curve of G2 outside the group, as a key: its cofactor is large, so nearly every one is."""
    for real in range(1, 100):
        x = FQ2([real, 1])
        square = x**3 + b2
        half = square ** ((P - 3) // 4)  # Algorithm 9 of "Square root computation over even extension fields"
        alpha = half * half * square
        y = half * square * (FQ2([0, 1]) if alpha == -FQ2.one() else (alpha + FQ2.one()) ** ((P - 1) // 2))
        if y * y == square and not is_inf(multiply((x, y, FQ2.one()), curve_order)):
            return _key(x, y)
    raise AssertionError("none found")


def negated(signature: bytes) -> bytes:
    """The other point with the same x."""
    point = (int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    return encode_g1(_affine(neg(_g1(point))))


def multiple(n: int) -> Point:
    """n times the generator of G1."""
    return _affine(multiply(G1, n))


def _key(x: FQ2, y: FQ2) -> bytes:
    words = chain.from_iterable(reversed(part.coeffs) for part in (x, y))
    return b"".join(int(word).to_bytes(32, "big") for word in words)


def _g1(point: Point) -> tuple[FQ, FQ, FQ]:
    return FQ(point[0]), FQ(point[1]), FQ.one()


def _affine(point: tuple[FQ, FQ, FQ]) -> Point:
    x, y = normalize(point)
    return int(x), int(y)
