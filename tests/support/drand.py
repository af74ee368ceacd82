"""A drand network whose key the tests hold: its hash to the curve, straight from RFC 9380, py_ecc, an HTTP relay."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from types import TracebackType

from py_ecc.optimized_bn128 import (
    FQ,
    FQ2,
    G2,
    b2,
    curve_order,
    field_modulus,
    is_inf,
    multiply,
    normalize,
    pairing,
)
from py_ecc.optimized_bn128 import add as add_points

from kizuna.hashing import keccak

sys.setrecursionlimit(1000)  # py_ecc raises it so far that parsers of nested JSON overflow the stack

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


def _key(x: FQ2, y: FQ2) -> bytes:
    words = chain.from_iterable(reversed(part.coeffs) for part in (x, y))
    return b"".join(int(word).to_bytes(32, "big") for word in words)


def _g1(point: Point) -> tuple[FQ, FQ, FQ]:
    return FQ(point[0]), FQ(point[1]), FQ.one()


def _affine(point: tuple[FQ, FQ, FQ]) -> Point:
    x, y = normalize(point)
    return int(x), int(y)


# --- an HTTP endpoint ---

Answer = tuple[int, bytes]


class Endpoint:
    """Serves what `answer` gives for a path, on a free port of this machine, until the context ends."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer, self.asked))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def relay(signer: Signer, chain_hash: bytes) -> Callable[[str], Answer]:
    """What an honest relay answers."""
    prefix = f"/{chain_hash.hex()}/public/"

    def answer(path: str) -> Answer:
        if not path.startswith(prefix):
            return 404, b"{}"
        return 200, json.dumps(signer.beacon(int(path.removeprefix(prefix)))).encode()

    return answer


def _handler(answer: Callable[[str], Answer], asked: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # a client that has read enough hangs up
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    return Handler
