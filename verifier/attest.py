"""Attesting: whether a contribution is held and on a mirror, as it was committed."""

from __future__ import annotations

from kizuna.types import Finding, Reason
from verifier.checks import Case, check_available

_NOT_AS_COMMITTED = frozenset(
    {Reason.UNAVAILABLE, Reason.TOO_LARGE, Reason.MALFORMED, Reason.WRONG_HASH, Reason.WRONG_ROOT, Reason.WRONG_CONTEXT}
)


def why_not_held(found: Case | Finding) -> Finding | None:
    """What keeps a contribution from counting as held, None if it does. The last boundary goes with the update.

    Bytes that are there as committed are held even where they are wrong, with another base for example: that is for
    the checkers to challenge and costs more than not having published.
    """
    if isinstance(found, Case):
        return check_available(found, found.config.segments)
    return found if found.reason in _NOT_AS_COMMITTED else None
