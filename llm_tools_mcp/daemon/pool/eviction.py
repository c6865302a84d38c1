"""Which servers make room for others, when more are live than may be."""

from __future__ import annotations

from collections.abc import Iterable

from .session import Session


def evicted(live: Iterable[Session], excess: int) -> list[Session]:
    """So many, in this order, or fewer: never a busy one, nor one that is never to be stopped."""
    return [session for session in _in_order(live) if _may_be_evicted(session)][:excess]


def _may_be_evicted(session: Session) -> bool:
    """Not while it is used, nor if it is never to be stopped for being unused."""
    return not session.is_busy and session.definition.idle_timeout > 0


def _in_order(live: Iterable[Session]) -> list[Session]:
    """First copies of a server, of which another of the same name stays; then the least recently used."""
    latest_first = sorted(live, key=lambda session: (session.is_busy, session.last_used), reverse=True)
    seen: set[str] = set()
    copies: list[Session] = []
    others: list[Session] = []
    for session in latest_first:
        (copies if session.definition.name in seen else others).append(session)
        seen.add(session.definition.name)
    return copies[::-1] + others[::-1]
