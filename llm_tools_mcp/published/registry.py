"""The registry of MCP, by its API v0.1: which servers there are, and how one of them is had.

Schema: server.json of 2025-12-11, and those before it since 2025-09-16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from llm_tools_mcp.config.variables import is_utf8
from llm_tools_mcp.errors import PublishedError

from .json_fields import Json, flag, listed, nested, text

if TYPE_CHECKING:
    from .web import Client

PUBLIC = "https://registry.modelcontextprotocol.io"

_OFFICIAL = "io.modelcontextprotocol.registry/official"
_PAGE, _MAX_PAGES, _MAX_WORDS = 100, 20, 8


@dataclass(frozen=True, slots=True)
class Published:
    """A version of a server. `status`: active, deprecated, deleted; `document` is its server.json."""

    name: str
    version: str
    title: str
    description: str
    status: str
    status_message: str
    is_latest: bool
    document: Json = field(repr=False)

    @property
    def home(self) -> str:
        """Where to read about it."""
        return text(nested(self.document, "repository"), "url") or text(self.document, "websiteUrl")

    @property
    def kinds(self) -> list[str]:
        """How it is had: npm, pypi, oci, …, remote."""
        packages = [text(one, "registryType") for one in listed(self.document, "packages")]
        remotes = ["remote"] if listed(self.document, "remotes") else []
        return list(dict.fromkeys(filter(None, [*packages, *remotes])))


class Registry:
    """`base` is its address, with or without the API's version. Raises PublishedError where it is none."""

    def __init__(self, base: str, web: Client) -> None:
        from llm_tools_mcp.login.web import is_secure

        if not is_utf8(base) or not is_secure(base):  # not repeated: it may hold a password
            raise PublishedError("the registry's address is no https:// url, or has a name or password in it")
        self.base = base.rstrip("/").removesuffix("/v0.1")
        self._web = web

    def search(self, words: Sequence[str], most: int) -> list[Published]:
        """Servers with all of the words, each once. Raises PublishedError.

        The registry takes one text, and looks for it in names alone: so it is asked for the longest word, and
        for the next one where no such server has the others.
        """
        _check_text(*words)
        for word in sorted(dict.fromkeys(words), key=len, reverse=True)[:_MAX_WORDS]:
            if found := self._with(word, [other.casefold() for other in words if other != word], most):
                return found
        return []

    def _with(self, word: str, others: Sequence[str], most: int) -> list[Published]:
        found: dict[str, Published] = {}
        for one in self._listed(word):
            about = f"{one.name} {one.title} {one.description}".casefold()
            former = found.get(one.name)
            if all(other in about for other in others) and (former is None or one.is_latest):
                found[one.name] = one
            if len(found) >= most:
                break
        return list(found.values())

    def server(self, name: str, version: str = "latest") -> Published:
        """One version of one server. Raises PublishedError, web.NotThere."""
        from .web import get_object

        _check_text(name, version)
        path = f"{quote(name, safe='')}/versions/{quote(version, safe='')}"
        published = _published(get_object(self._web, f"{self.base}/v0.1/servers/{path}"))
        if published is None or published.name.casefold() != name.casefold():
            raise PublishedError(f"{self.base} does not say what {name!r} is")
        return published

    def _listed(self, word: str) -> Iterator[Published]:
        from .web import get_object

        query = {"search": word, "version": "latest", "limit": str(_PAGE)}
        for _ in range(_MAX_PAGES):
            page = get_object(self._web, f"{self.base}/v0.1/servers", query)
            yield from filter(None, map(_published, listed(page, "servers")))
            cursor = text(nested(page, "metadata"), "nextCursor")
            if not cursor or cursor == query.get("cursor"):
                return
            query["cursor"] = cursor


def _check_text(*words: str) -> None:
    if not all(map(is_utf8, words)):
        raise PublishedError("what was typed is no UTF-8, and a registry knows no other text")


def _published(response: Json) -> Published | None:
    server = nested(response, "server")
    official = nested(nested(response, "_meta"), _OFFICIAL)
    if not text(server, "name"):
        return None
    return Published(
        name=text(server, "name"),
        version=text(server, "version"),
        title=text(server, "title"),
        description=text(server, "description"),
        status=text(official, "status", "active"),
        status_message=text(official, "statusMessage"),
        is_latest=flag(official, "isLatest"),
        document=server,
    )
