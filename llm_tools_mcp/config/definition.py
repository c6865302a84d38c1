"""What a server is once its config is resolved, and when two of them are the same one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from fnmatch import fnmatchcase
from types import MappingProxyType

from .file_identity import FileIdentity, is_unchanged
from .oauth import OAuth
from .secret_arguments import (
    TELLING,
    holds_token,
    is_secret_value,
    public_command,
    public_path,
    secret_args,
    without,
)
from .variables import NETWORK_VARIABLES, is_indifferent, is_inherited

_NOTHING: Mapping[str, str] = MappingProxyType({})
_USUAL_LOGIN = OAuth()


class Transport(str, Enum):
    STDIO = "stdio"
    HTTP = "http"
    SSE = "sse"


class Protocol(str, Enum):
    """Which era of MCP to speak; AUTO tries the modern one first."""

    AUTO = "auto"
    LEGACY = "legacy"
    MODERN = "modern"


def _secret() -> Mapping[str, str]:
    # Any mapping is unhashable in Python 3.10, and equal ones have equal identities anyway.
    return field(default_factory=lambda: _NOTHING, repr=False, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDefinition:
    """Everything needed to reach one server. Times are seconds, and 0 means without limit.

    `env` is the child's complete environment; `own_env` names what the config itself sets in it.
    `cwd` is absolute; `public_cwd` is for people. `command` is the executable's absolute path where it was
    found. `folder` and `program` tell which folder a process runs in, and which version of the program.
    """

    name: str
    transport: Transport
    protocol: Protocol = Protocol.AUTO

    command: str = field(default="", repr=False)  # some write their arguments into it
    command_as_written: str = field(default="", repr=False)
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = _secret()
    own_env: frozenset[str] = frozenset()
    cwd: str = field(default="", repr=False)
    cwd_is_pinned: bool = False
    umask: int = 0o022
    folder: FileIdentity = field(default=(), repr=False)
    program: FileIdentity = field(default=(), repr=False)
    confided: frozenset[str] = field(default=frozenset(), repr=False)

    url: str = field(default="", repr=False)
    headers: Mapping[str, str] = _secret()
    proxy_env: Mapping[str, str] = _secret()
    headers_helper: str = field(default="", repr=False)
    helper_env: Mapping[str, str] = _secret()
    oauth: OAuth | None = _USUAL_LOGIN  # None: it is never logged in to
    login: str = ""
    """Which login its requests are made with, by id: another login is another session."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    timeout: float = 300.0
    connect_timeout: float = 30.0
    idle_timeout: float = 600.0
    instances: int = 1
    # For models: characters of a result, 0 for all of it; and whether its tools need no search.
    output_limit: int | None = None
    always_load: bool = False
    # When a person is asked before a tool of it is called (see approval), and tools of which never, as globs.
    approve: str = "never"
    always_allow: tuple[str, ...] = ()

    identity: str = field(init=False, repr=False)
    """Equal for definitions whose server would be started identically (sha256, hex)."""
    lineage: str = field(init=False, repr=False)
    """The same, whatever stands at their paths: of two the later one has replaced the other."""
    cache_key: str = field(init=False, repr=False)
    """Equal for definitions that list the same tools, whatever the caller's folder and PATH."""

    def __post_init__(self) -> None:
        started_as = self._started_as()
        object.__setattr__(self, "lineage", _digest(started_as))
        files = [self.folder, self.program]
        object.__setattr__(self, "identity", _digest([*started_as, files]) if any(files) else self.lineage)
        object.__setattr__(self, "cache_key", _digest(self._listed_as()))

    @property
    def target(self) -> str:
        """The program, or the url, without secrets: for people."""
        if self.transport is Transport.STDIO:
            return self.public(public_command(self.public(self.command)))
        return self.public(public_url(self.public(self.url)))  # first: of `a?b` only half is the path

    @property
    def public_cwd(self) -> str:
        """`cwd` without secrets: for people."""
        return self.public(self.cwd)

    def public(self, text: str) -> str:
        """A text that holds strings of the config, without what was confided in them."""
        return without(self.confided, text)

    @property
    def secrets(self) -> frozenset[str]:
        """What was given in confidence: no message may repeat it. Of `args` only what looks like it, since
        without package names and paths a server's errors would say nothing.
        """
        own = {
            value
            for name, value in self.env.items()
            if not is_inherited(name) and is_secret_value(name, value)
        }
        headers = set(self.headers.values())
        credentials = {value.rpartition(" ")[2] for value in headers}  # the token of "Bearer TOKEN"
        args = secret_args([*self.command.split()[1:], *self.args])
        oauth = self.oauth.secrets if self.oauth is not None else ()
        given = {*own, *headers, *credentials, *_secrets_in_url(self.url), *args, *oauth, *self.confided}
        return frozenset(given) - {""}

    @property
    def can_log_in(self) -> bool:
        """Whether a login is what a 401 of it asks for: headers of the config would count otherwise."""
        if self.transport is Transport.STDIO or self.oauth is None or self.headers_helper:
            return False
        return not any(name.lower() == "authorization" for name in self.headers)

    def with_login(self, login: str) -> ServerDefinition:
        return self if login == self.login else replace(self, login=login)

    @property
    def consent_key(self) -> str:
        """Equal for definitions that a person would take for the same server when tools of it are allowed:
        whatever the PATH, and whatever tokens it is given at the time.
        """
        if self.transport is not Transport.STDIO:
            return _digest(["consent", self.transport.value, self.url, sorted(self.headers)])
        own = {name: "" if TELLING.search(name) else self.env.get(name, "") for name in self.own_env}
        is_of_folder = self.cwd_is_pinned or any(_is_below(path, self.cwd) for path, _ in self.program)
        folder = self.cwd if is_of_folder else ""
        command = self.command if "/" in self.command_as_written else self.command_as_written
        return _digest(["consent", command or self.command, self.args, own, folder])

    @property
    def is_current(self) -> bool:
        """Whether its folder and its program are still those that it was resolved with."""
        return is_unchanged(self.folder) and is_unchanged(self.program)

    def offers(self, tool_name: str) -> bool:
        """Whether the config lets this tool through. No `include` at all lets every tool through."""
        included = not self.include or _matches(tool_name, self.include)
        return included and not _matches(tool_name, self.exclude)

    def _started_as(self) -> list[object]:
        if self.transport is not Transport.STDIO:
            return [*self._reached_as(), *([self.login] if self.login else [])]
        env = self._env_without(is_indifferent)
        return [*self._spoken(), self.command, self.args, env, self.cwd, self.umask]

    def _listed_as(self) -> list[object]:
        if self.transport is not Transport.STDIO:
            # Two entries may be two accounts; and a list stays known when its login ends.
            return [*self._reached_as(), *([self.name] if self.can_log_in else [])]
        env = self._env_without(_is_of_the_call)
        pinned = self.cwd if self.cwd_is_pinned else None
        return [*self._spoken(), self.command_as_written or self.command, self.args, env, pinned]

    def _reached_as(self) -> list[object]:
        reached: list[object] = [*self._spoken(), self.url, dict(self.headers), dict(self.proxy_env)]
        if self.headers_helper:
            reached += [self.headers_helper, dict(self.helper_env)]
        if self.oauth != _USUAL_LOGIN:
            reached.append(self.oauth.as_list() if self.oauth is not None else False)
        return reached

    def _spoken(self) -> list[str]:
        return [self.transport.value, self.protocol.value]

    def _env_without(self, is_left_out: Callable[[str], bool]) -> dict[str, str]:
        return {
            name: value for name, value in self.env.items() if name in self.own_env or not is_left_out(name)
        }


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _is_of_the_call(name: str) -> bool:
    """Whether a variable makes no other list of tools."""
    return name == "PATH" or name in NETWORK_VARIABLES or is_indifferent(name)


def public_url(url: str) -> str:
    """Without userinfo, query, fragment, and keys in its path; nothing of one that cannot be taken apart."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for user:pa/ss@host, whose password would pass for a path
    except ValueError:
        return "(not a valid url)"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "(not an http url)"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{public_path(parts.path)}"


def _secrets_in_url(url: str) -> set[str]:
    from urllib.parse import parse_qsl, urlsplit

    if url == public_url(url):
        return set()
    try:
        parts = urlsplit(url)
    except ValueError:
        return {url}
    values = {value for _, value in parse_qsl(parts.query)}
    keys = filter(holds_token, parts.path.split("/"))
    own = {parts.password or "", _basic(parts.username, parts.password)}
    return {url, parts.query, parts.fragment, *own, *values, *keys}


def _basic(user: str | None, password: str | None) -> str:
    """As it is sent: what a server may well quote of the request."""
    if not password:
        return ""
    from base64 import b64encode
    from urllib.parse import unquote

    return b64encode(f"{unquote(user or '')}:{unquote(password)}".encode()).decode()


def _matches(name: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _digest(parts: list[object]) -> str:
    from hashlib import sha256  # loads OpenSSL, which the client has no other need for

    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
