"""The sessions that there are, what is told of them, and when they are forgotten."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Sequence

from llm_tools_mcp.config import ServerDefinition

from .session import Session
from .statistics import State

# Sessions that are stopped are kept for their statistics and backoff, but not for ever.
_MAX_KNOWN = 256
# Bounds what grows with every edit of a program, and with every server by command or URL.
_MAX_LINEAGES = 4096
# Seconds after its last use that a server which no config names is still told of.
_GHOST_SECONDS = 3600.0


class Registry:
    """By identity. `is_configured` tells of an identity whether a config names it."""

    def __init__(self, is_configured: Callable[[str], bool]) -> None:
        self._is_configured = is_configured
        self._groups: OrderedDict[str, list[Session]] = OrderedDict()  # the last used at the end
        self._crowded = 2 * _MAX_KNOWN
        self._latest: dict[str, str] = {}  # by lineage: the identity that stands for it now
        self._passing: set[str] = set()  # identities that no config has: servers by command or URL

    def all(self) -> list[Session]:
        return [session for group in self._groups.values() for session in group]

    def of(self, identity: str) -> Sequence[Session]:
        return self._groups.get(identity, ())

    def group_in_use(self, identity: str) -> list[Session]:
        """Those of an identity that is used just now; who needs one more adds it."""
        if len(self._groups) >= self._crowded:
            self.forget()  # of those that never live no timer reminds us
            self._crowded = 2 * max(_MAX_KNOWN, len(self._groups))
        group = self._groups.setdefault(identity, [])
        self._groups.move_to_end(identity)
        return group

    def called(self, name: str, identities: Container[str] | None = None) -> list[Session]:
        """Those of this name (of these identities)."""
        return [
            session
            for identity, group in self._groups.items()
            for session in group
            if name in session.names and (identities is None or identity in identities)
        ]

    def replaced_by(self, definition: ServerDefinition) -> Sequence[Session]:
        """Those of the folder, or the version of the program, that it stands in the place of from now on."""
        former = self._latest.get(definition.lineage)
        self._latest[definition.lineage] = definition.identity
        return () if former in (None, definition.identity) else self.of(former)

    # --- what is told of a server -------------------------------------------------------------------

    def is_connected(self, definition: ServerDefinition) -> bool:
        return any(session.connection is not None for session in self.of(definition.identity))

    def connected_as(self, definition: ServerDefinition) -> ServerDefinition | None:
        """As it is for this caller or, with the same lists, for one with another folder or PATH."""
        if self.is_connected(definition):
            return definition
        twins = (one for one in self.all() if definition.cache_key in one.cache_keys)
        return next((one.definition for one in twins if one.connection is not None), None)

    def is_refused(self, definition: ServerDefinition) -> bool:
        """Whether the server, when it was last asked, wanted a login that it was not given."""
        return any(session.error_state.refusal is not None for session in self.of(definition.identity))

    def trouble_of(self, definition: ServerDefinition) -> str:
        """Why the server cannot be used just now; empty where nothing is known against it."""
        group = self.of(definition.identity)
        return next((one.error_state.last_error for one in group if one.state is State.BACKING_OFF), "")

    def sign_in_url(self, definition: ServerDefinition) -> str:
        """The page that the server waits for somebody at, while it starts."""
        group = self.of(definition.identity)
        return next((session.sign_in_url for session in group if session.sign_in_url), "")

    # --- forgetting ---------------------------------------------------------------------------------

    def let_pass(self, definitions: Iterable[ServerDefinition]) -> None:
        """No config has these: once they have ended nobody looks for them any more."""
        self._passing.update(definition.identity for definition in definitions)

    def keep(self, definitions: Iterable[ServerDefinition]) -> None:
        """A config has these."""
        for definition in definitions:
            self._passing.discard(definition.identity)

    def is_gone(self, session: Session) -> bool:
        """Whether nothing of it is left, and nobody wants it."""
        if session.is_busy:
            return False
        is_passing = session.definition.identity in self._passing
        is_over = session.is_retired and not session.has_owner
        return is_over or (is_passing and session.state is State.STOPPED)

    def forget(self) -> None:
        """What no config wants any more, and of the rest the longest unused."""
        surplus = len(self._groups) - _MAX_KNOWN
        for position, (identity, group) in enumerate(list(self._groups.items())):
            is_unused = not any(session.has_owner or session.is_busy for session in group)
            is_useless = position < surplus or self._is_ghost(identity, group)
            if all(map(self.is_gone, group)) or (is_useless and is_unused):
                del self._groups[identity]
                self._passing.discard(identity)
        if len(self._latest) > _MAX_LINEAGES:
            self._latest = {key: now for key, now in self._latest.items() if now in self._groups}
        if len(self._passing) > _MAX_LINEAGES:
            self._passing.intersection_update(self._groups)

    def _is_ghost(self, identity: str, group: Sequence[Session]) -> bool:
        idle = min(session.idle_seconds for session in group)
        return idle > _GHOST_SECONDS and not self._is_configured(identity)

    def clear(self) -> None:
        self._groups.clear()
