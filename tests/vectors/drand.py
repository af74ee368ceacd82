"""Writes drand.json: `PYTHONPATH=tests python tests/vectors/drand.py`.

Published values stand here as they were published; the others are computed by tests/support/drand.py with py_ecc,
which shares no code with the contracts. Every signature is checked with py_ecc's pairing before the file is written.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from runpy import run_path
from typing import Any

from support.drand import DOMAIN, SUITE, Signer, hash_to_g1, is_signed, stray_key

HERE = Path(__file__).parent
OUTPUT = HERE / "drand.json"

MAPPED = """
0cb81538a98a2e3580076eed495256611813f6dae9e16d3d4f8de7af0e9833e1
1bb8810e2ceaf04786d4efd216fc2820ddd9363712efc736ada11049d8af5925
1efbf8d54c60d865cce08437668ea30f5bf90d287dbd9b5af31da852915e8f11
0ba35e127276e9000b33011860904ddee28f1d48ddd3577e2a797ef4a5e62319
0da4a96147df1f35b0f820bd35c6fac3b80e8e320de7c536b1e054667b22c332
189bd3fbffe4c8740d6543754d95c790e44cd2d162858e3b733d2b8387983bb7
11852286660cd970e9d7f46f99c7cca2b75554245e91b9b19d537aa6147c28fc
2ff727cfaaadb3acab713fa22d91f5fddab3ed77948f3ef6233d7ea9b03f4da1
304080768fd2f87a852155b727f97db84b191e41970506f0326ed4046d1141aa
174d1c85d8a690a876cc1deba0166d30569fafdb49cb3ed28405bd1c5357a1cc
11a2eaa8e3e89de056d1b3a288a7f733c8a1282efa41d28e71af065ab245df9b
060f37c447ac29fd97b9bb83be98ddccf15e34831a9cdf5493b7fede0777ae06
073b81432b4cf3a8a9076201500d1b94159539f052a6e0928db7f2df74bff672
27409dccc6ee4ce90e24744fda8d72c0bc64e79766f778da0c1c0ef1c186ea84
1ac201a542feca15e77f30370da183514dc99d8a0b2c136d64ede35cd0b51dc0
2f87b81d9d6ef05ad4d249737498cc27e1bd485dca804487844feb3c67c1a9b5
0e449b959abbd0e5ab4c873eaeb1ccd887f1d9ad6cd671fd72cb8d77fb651892
29ff1e36867c60374695ee0c298fcbef2af16f8f97ed356fa75e61a797ebb265
06de2d0d7c0d9c7a5a6c0b74675e7543f5b98186b5dbf831067449000b2b1f8e
19388d9112a306fba595c3a8c63daa8f04205ad9581f7cf105c63c442d7c6511
182da356478aa7776d1de8377a18b41e933036d0b71ab03f17114e4e673ad6e4
11945105b5e3d3b9392b5a2318409cbc28b7246aa47fa30da5739907737799a9
1452c8cc24f8dedc25b24d89b87b64e25488191cecc78464fea84077dd156f8d
209c3633505ba956f5ce4d974a868db972b8f1b69d63c218d360996bcec1ad41
1255fc9ad5a6e0fb440916f091229bda611c41be2f2283c3d8f98c596be4c8c9
04e8357c98524e6208ae2b771e370f0c449e839003988c2e4ce1eaf8d632559f
04396ec43dd8ec8f2b4a705090b5892219759da30154c39490fc4d59d51bb817
2f7993a6b43a8dbb37060e790011a888157f456b895b925c3568690685f4983d
28d01790d2a1cc4832296774438acd46c2ce162d03099926478cf52319daba8d
10227ab2707fd65fb45e87f0a48cfe3556f04113d27b1da9a7ae1709007355e1
2677d0532b47a4cead2488845e7df7ebc16c0b8a2cd8a6b7f4ce99f51659794e
07dc256c7aadac1b4e1d23b3b2bbb5e2ffd9c753b9073d8d952ead8f812ce1b3
2589008b2e15dcb3d16cdc1fed2634778001b1b28f0ab433f4f5ec6635c55e1e
2a50be15282ee276b76db1dab761f75401cdc8bd9fff81fcf4d428db16092a7b
1c53b05f2fce15ba0b9100650c0fb46de1fb62f1d0968b69151151bd25dfefa4
1fe783faf4bdbd79b717784dc59619106e4acccfe3b5d9750799729d855e7b81
23b41953676183c30aca54b5c8bd3ffe3535a6238c39f6b15487a5467d5d20eb
214a4e6e97adda47558f80088460eabd71ed35bc8ceafb99a493dd6f4e2b3f0a
0faaeb29cc23f9d09b187a99741613aed84443e7c35736258f57982d336d13bd
048527470f534978bae262c0f3ba8380d7f560916af58af9ad7dcb6a4238e633
2298ba379768da62495af6bb390ffca9156fde1dc167235b89c6dd008d2f2f3b
0660564cf6fce5cdea4780f5976dd0932559336fd072b4ddd83ec37f00fc7699
19a6d8be25702820b9b11eada2d42f425343889637a01ecd7672fbcf590d9ffe
2811dea430f7a1f6c8c941ecdf0e1e725b8ad1801ad15e832654bd8f10b62f16
253390ed4fb39e58c30ca43892ab0428684cfb30b9df05fc239ab532eaa02444
"""
"""Field elements, each with x and y of its point: BN254G1 in ecc/bn254/hash_vectors_test.go of gnark-crypto."""

HASHED = [
    (
        b"BN254G1_XMD:KECCAK-256_SVDW_RO",
        b"hello",
        "0beef402c4c94fac44fe220ef0cb7f56fb2d2f6a0500930282c170ee6afa447f"
        "1cb8fd2d4488f28d14d1ab7a4ac224049e24f245481e670a51178d2895bb10a1",
    ),
    (
        b"dcipher-helloworld-v01-BN254G1_XMD:KECCAK-256_SVDW_RO_0x" + b"7a69".rjust(64, b"0") + b"_",
        b"hello",
        "08b70ec12bec2465bd5e245a7ddde3e619dba68b6e59dc4fce6bb1c58d76451a"
        "0f78beba66e72e912d5699966a3c4de5ea28e792b267671552e7d07936fc78aa",
    ),
    (
        DOMAIN,
        bytes.fromhex("baf09720c37cb921fd8362b1d907232ac0b813ffba768c714aeaace987e7fd6b"),
        "1626082c3dd0751bdaaf8c3e709b5dd7cdedf45d4e81a5aa3e270f1e78924b32"
        "2bf29ab3af54dfe3c053ad4efa93db05d3586368463e9d7334c7ba61f6f4e955",
    ),
]
"""Domain, message, point: randa-mu/bls-solidity, test/data/testcases_bn254.json; the last is evmnet's round 9337227."""

EVMNET_KEY = bytes.fromhex(
    "07e1d1d335df83fa98462005690372c643340060d205306a9aa8106b6bd0b382"
    "0557ec32c2ad488e4d4f6008f89a346f18492092ccc0d594610de2732c8b808f"
    "0095685ae3a85ba243747b1b2f426049010f6b73a0cf1d389351d5aaaa1047f6"
    "297d3a4f9749b33eb2d904c9d9ebf17224150ddd7abd7567a9bec6c74480ee0b"
)

EVMNET = {
    1: "11f812d738a36b2210dc88c2d635ad8039588205f42445d6de09e6530165c346"
    "2a23aca348c84badcf8df5321ac24577b7963d5b0d780bc4626baedb45cde373",
    513: "06ded8c05af23042a0caf9b404c6140f9ec64adbaf82f04d5c37153e8412ed58"
    "0f827c7d5ac7d02ca0bbd989d07594729bdcde7d6dc1001191c59dc9033d31b2",
    9337227: "01d65d6128f4b2df3d08de85543d8efe06b0281d0770246ae3672e8ddd3efda0"
    "269373123458f0b5c0073eeed1c816a06809e127421513e34ee07df6987910b3",
    10000000: "2c7b65b5acfe55256910ca71cf0a0fa71ac34c2a1167f86a22930a03e70ebec0"
    "0f7a530796e7ee38600b06da0390634a9b154e3eebc3b323dde2111e1c8ebdf3",
    10000013: "13d1b70855d04ea9af3efc4a03378f655459da97819ca4c63427104cf20bd724"
    "2c4116eba1899aefcc969a160faa09d164ef5c2dbcef91ad7455ad7c0457d37c",
    19732510: "180a58cd3c3299b4eac3c7730cba7d00e084edba93da88d4513f4bdabb209e92"
    "183a6779d3ce0f92744930f77ef5407fab5f0dd80a395c7f1da23856f23ecbd2",
}
"""Beacons that evmnet published, as they stand in tests of projects that use it."""

SIGNER = Signer(secret=int.from_bytes(sha256(b"kizuna.drand.vectors").digest(), "big") >> 3)
SIGNED = (1, 2, 3, 255, 256, 65_535, 1 << 32, (1 << 64) - 1)
MESSAGES = [bytes(range(n)) for n in (0, 1, 31, 32, 33, 135, 136, 137, 200)]


def table() -> dict[str, list[Any]]:
    words = [int(word, 16) for word in MAPPED.split()]
    mapped = list(zip(words[::3], words[1::3], words[2::3], strict=True))
    hashed = [(domain, message, bytes.fromhex(point)) for domain, message, point in HASHED]
    hashed += [(SUITE, message, b"".join(map(_word, hash_to_g1(message, SUITE)))) for message in MESSAGES]
    evmnet = [bytes.fromhex(signature) for signature in EVMNET.values()]
    signed = [SIGNER.sign(round) for round in SIGNED]
    return {
        "map_u": _decimals(u for u, _, _ in mapped),
        "map_x": _decimals(x for _, x, _ in mapped),
        "map_y": _decimals(y for _, _, y in mapped),
        "hash_domain": _hexes(domain for domain, _, _ in hashed),
        "hash_message": _hexes(message for _, message, _ in hashed),
        "hash_point": _hexes(point for _, _, point in hashed),
        "evmnet_key": _hexes([EVMNET_KEY]),
        "evmnet_round": _decimals(EVMNET),
        "evmnet_signature": _hexes(evmnet),
        "evmnet_randomness": _hexes(sha256(signature).digest() for signature in evmnet),
        "stray_key": _hexes([stray_key()]),
        "signed_key": _hexes([SIGNER.key]),
        "signed_secret": _decimals([SIGNER.secret]),
        "signed_round": _decimals(SIGNED),
        "signed_signature": _hexes(signed),
    }


def check(columns: dict[str, list[Any]]) -> None:
    """Raises AssertionError unless py_ecc finds every signature good."""
    for network in ("evmnet", "signed"):
        key = bytes.fromhex(columns[f"{network}_key"][0][2:])
        rows = zip(columns[f"{network}_round"], columns[f"{network}_signature"], strict=True)
        for round, signature in rows:
            assert is_signed(key, int(round), bytes.fromhex(signature[2:])), (network, round)


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _shared(name: str) -> Any:
    return run_path(str(HERE / "generate.py"))[name]


_hexes, _decimals, render = map(_shared, ("hexes", "decimals", "render"))


if __name__ == "__main__":
    columns = table()
    check(columns)
    OUTPUT.write_text(render(columns))
