"""What a trustless gateway reads out of a request: format, scope, ranges, entity tags. Pure.

Source: https://specs.ipfs.tech/http-gateways/trustless-gateway/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_BYTES_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_ENTITY_BYTES = re.compile(r"(-?\d{1,18}):(\*|-?\d{1,18})")
_ETAG = re.compile(r'(?:W/)?"([^"]*)"')


class Format(StrEnum):
    """The two answers whose bytes a client can verify."""

    RAW = "raw"
    CAR = "car"


class Scope(StrEnum):
    """How much of a DAG an archive holds."""

    BLOCK = "block"
    ENTITY = "entity"
    ALL = "all"


class BadRequest(Exception):
    """A request that cannot be answered, with its HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@dataclass(frozen=True, slots=True)
class Span:
    """`entity-bytes`: first and last byte as asked for; negative ones count from the end, None is the end."""

    first: int
    last: int | None

    def within(self, size: int) -> tuple[int, int]:
        """First and last byte inside a file of that size; last < first if there is none."""
        first = self.first if self.first >= 0 else max(0, size + self.first)
        last = size - 1 if self.last is None else self.last if self.last >= 0 else size + self.last
        return first, min(last, size - 1)


def choose_format(query: Mapping[str, str], accept: str) -> Format:
    """The format asked for; the query wins over the header. Raises BadRequest 400 or 406."""
    if (asked := query.get("format")) is not None:
        if asked not in tuple(Format):
            raise BadRequest(400, "format is neither raw nor car")
        if query.get("car-version", "1") != "1":
            raise BadRequest(400, "only version 1 of CAR is served")
        return Format(asked)
    offers = [offer for item in accept.split(",") if (offer := _offer(item)) is not None]
    if not offers:
        raise BadRequest(406, "ask for application/vnd.ipld.raw or application/vnd.ipld.car")
    return max(offers, key=lambda offer: offer[0])[1]  # the first of equals


def _offer(item: str) -> tuple[float, Format] | None:
    """Weight and format of one item of an Accept header, or None if it cannot be served."""
    kind, *parts = (part.strip() for part in item.lower().split(";"))
    parameters = dict(part.replace(" ", "").split("=", 1) for part in parts if "=" in part)
    try:
        weight = float(parameters.get("q", "1"))
    except ValueError:
        return None
    if not 0 < weight <= 1:
        return None
    if kind == "application/vnd.ipld.raw":
        return weight, Format.RAW
    if kind == "application/vnd.ipld.car" and parameters.get("version", "1") == "1":
        return weight, Format.CAR
    return None


def choose_scope(query: Mapping[str, str]) -> tuple[Scope, Span | None]:
    """Scope and byte range of an archive; raises BadRequest 400. A byte range implies the scope `entity`."""
    span = None
    if (asked := query.get("entity-bytes")) is not None:
        span = _span(asked)
    scope = query.get("dag-scope", Scope.ALL if span is None else Scope.ENTITY)
    if scope not in tuple(Scope):
        raise BadRequest(400, "dag-scope is not block, entity or all")
    return Scope(scope), span if scope == Scope.ENTITY else None


def _span(asked: str) -> Span:
    found = _ENTITY_BYTES.fullmatch(asked)
    if found is None:
        raise BadRequest(400, "entity-bytes is not first:last")
    first, last = int(found[1]), None if found[2] == "*" else int(found[2])
    if last is not None and (first < 0) == (last < 0) and last < first:
        raise BadRequest(400, "entity-bytes ends before it begins")
    return Span(first, last)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte of a Range header, or None to send everything; raises BadRequest 416.

    Several ranges, other units and malformed headers are ignored, as RFC 9110 allows.
    """
    found = _BYTES_RANGE.fullmatch(header.replace(" ", "")) if header else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        first, last = max(0, size - int(found[2])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2] or size - 1), size - 1)
        if found[2] and int(found[2]) < first:
            return None
    if first >= size:
        raise BadRequest(416, "the range begins behind the end")
    return first, last


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether a client's copy is current; tags compare weakly."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return etag.removeprefix("W/").strip('"') in _ETAG.findall(if_none_match)
