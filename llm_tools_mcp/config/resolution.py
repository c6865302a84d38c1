"""From the text of a config to ServerDefinitions, as the caller would start them.

Relative things are relative to the caller's folder, commands are looked up in the child's PATH, and
~ is the caller's: the daemon's own surroundings never count.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from llm_tools_mcp.errors import ConfigError

from .approval import NEVER, strictest
from .definition import Protocol, ServerDefinition, Transport
from .expansion import Expansion
from .footing import program_files, stamped
from .oauth import OAuth
from .problems import config_error, nested_key
from .variables import (
    CERTIFICATE_VARIABLES,
    ENV_FILE,
    NOTHING_CONFIDED,
    PROXY_VARIABLES,
    Confided,
    inherited,
    is_indifferent,
    is_inherited,
)

if TYPE_CHECKING:
    from .model import Entry, OAuthEntry, RemoteEntry, StdioEntry

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[ -~]*")
_URL = re.compile(r"[^\x00-\x20\x7f]+")


@dataclass(frozen=True, slots=True)
class Context:
    """The caller, as far as resolution needs it. `cwd` is absolute."""

    cwd: str
    environment: Mapping[str, str] = field(repr=False, hash=False)
    umask: int = 0o022
    confided: Confided = field(default=NOTHING_CONFIDED, repr=False, hash=False)
    # What is asked for all servers already; and whether they are a project's, which does not allow itself
    # anything.
    approve: str = NEVER
    is_project: bool = False


class UnknownKey(NamedTuple):
    """A key that nothing reads; `doctor` reports it. `reason`: where it would be read."""

    server: str
    key: str
    reason: str = ""

    @property
    def suggestion(self) -> str:
        """The known key that was probably meant, or ''."""
        from difflib import get_close_matches

        from .model import KNOWN_KEYS

        if self.reason:
            return ""
        return next(iter(get_close_matches(self.key, sorted(KNOWN_KEYS), n=1, cutoff=0.75)), "")


@dataclass(frozen=True, slots=True)
class Config:
    """Servers in the config's order, without the disabled ones. A ConfigError fails one server only.

    `mistakes` are those of entries that are wrong for every caller.
    """

    servers: Mapping[str, ServerDefinition | ConfigError]
    unknown_keys: tuple[UnknownKey, ...] = ()
    mistakes: Mapping[str, ConfigError] = field(default_factory=dict)
    # The names of those that the caller's project brings along.
    of_project: frozenset[str] = frozenset()
    # What it asks for all servers (see approval).
    approve: str = NEVER
    # How many servers may live at once, where the config says so.
    max_servers: int | None = None

    def joined(self, project: Config) -> Config:
        """With the servers of a project, which come in the place of those of the same name."""
        servers = {**self.servers, **project.servers}
        unknown = tuple(key for key in self.unknown_keys if key.server not in project.servers)
        mistakes = {name: error for name, error in self.mistakes.items() if name not in project.servers}
        return Config(
            MappingProxyType(servers),
            (*unknown, *project.unknown_keys),
            MappingProxyType({**mistakes, **project.mistakes}),
            frozenset(project.servers),
            self.approve,
            self.max_servers,
        )


def parse(source_path: str, text: str, context: Context, protocol: Protocol | None = None) -> Config:
    """Validate and resolve. `protocol` overrides what the servers say.

    Raises ConfigError for what breaks the whole file. `source_path` is for messages only.
    """
    from .model import approval_of_all, enabled_servers, max_servers, validated  # pydantic: on demand

    context = _with_absolute_paths(context)
    approve = strictest([context.approve, approval_of_all(source_path, text)])
    context = replace(context, approve=approve)
    raw = enabled_servers(source_path, text)
    entries = validated(source_path, raw)
    servers = {
        name: entry
        if isinstance(entry, ConfigError)
        else _resolved(source_path, name, entry, context, protocol)
        for name, entry in entries.items()
    }
    mistakes = {name: entry for name, entry in entries.items() if isinstance(entry, ConfigError)}
    unknown = tuple(
        key
        for name, entry in entries.items()
        if not isinstance(entry, ConfigError)
        for key in _unknown_keys(name, entry, raw[name])
    )
    limit = max_servers(source_path, text)
    return Config(
        MappingProxyType(servers), unknown, MappingProxyType(mistakes), approve=approve, max_servers=limit
    )


def _unknown_keys(name: str, entry: Entry, raw: Mapping[str, object]) -> list[UnknownKey]:
    from .model import KNOWN_KEYS, StdioEntry, spellings

    reason = "is for a url alone" if isinstance(entry, StdioEntry) else "is for a command alone"
    meant = spellings(type(entry))
    return [UnknownKey(name, key, reason if key in KNOWN_KEYS else "") for key in raw if key not in meant]


class _Unresolvable(Exception):
    """The server's `Expansion` holds the problems."""


def _resolved(
    path: str,
    name: str,
    entry: StdioEntry | RemoteEntry,
    context: Context,
    protocol: Protocol | None,
) -> ServerDefinition | ConfigError:
    from .model import StdioEntry

    expansion = Expansion(name, context.environment, context.confided)
    common = _common(name, entry, expansion, protocol) | _approval(entry, context)
    try:
        if isinstance(entry, StdioEntry):
            return _stdio(entry, context, expansion, common)
        return _remote(entry, context, expansion, common)
    except _Unresolvable:
        return config_error(path, expansion.problems, expansion.repair)


def _approval(entry: Entry, context: Context) -> dict[str, Any]:
    allowed = () if context.is_project else (*(entry.always_allow or ()), *(entry.auto_approve or ()))
    return {"approve": strictest([context.approve, entry.approve or NEVER]), "always_allow": allowed}


def _common(name: str, entry: Entry, expansion: Expansion, protocol: Protocol | None) -> dict[str, Any]:
    include, exclude = _offered(entry, expansion)
    numbers = {
        "timeout": entry.timeout,
        "connect_timeout": entry.connect_timeout,
        "idle_timeout": entry.idle_timeout,
    }
    return {
        "name": name,
        "protocol": protocol or Protocol(entry.protocol or "auto"),
        "include": include,
        "exclude": exclude,
        "output_limit": entry.output_limit,
        "always_load": entry.always_load or False,
        **{key: float(value) for key, value in numbers.items() if value is not None},
    }


def _offered(entry: Entry, expansion: Expansion) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which tools to offer, and which of them not. An empty `enabledTools`, as Codex has it, means none."""
    include = expansion.texts("includeTools", entry.include_tools or ())
    include += expansion.texts("enabledTools", entry.enabled_tools or ())
    exclude = expansion.texts("excludeTools", entry.exclude_tools or ())
    exclude += expansion.texts("disabledTools", entry.disabled_tools or ())
    return include, ("*",) if entry.enabled_tools == [] and not include else exclude


def _stdio(
    entry: StdioEntry, context: Context, expansion: Expansion, common: dict[str, Any]
) -> ServerDefinition:
    own_env = expansion.mapping("env", entry.env or {})
    own_env = _env_of_file(entry, context, expansion) | own_env
    command = expansion.text("command", entry.command)
    args = expansion.texts("args", entry.args or ())
    written_cwd = expansion.text("cwd", entry.cwd or "")
    _check_process(expansion, command, args, own_env, written_cwd)
    env = _inherited(context, entry.inherit_env) | own_env
    cwd = _folder(written_cwd, context)
    executable = _executable(_from_home(command, context), env.get("PATH", os.defpath), cwd)
    return ServerDefinition(
        transport=Transport.STDIO,
        command=executable,
        command_as_written=command,
        args=args,
        env=MappingProxyType(env),
        own_env=frozenset(own_env),
        cwd=cwd,
        cwd_is_pinned=bool(written_cwd),
        umask=context.umask,
        folder=stamped([cwd]),
        program=stamped(program_files(executable, args, cwd)),
        confided=frozenset(expansion.used),
        instances=entry.instances or 1,
        **common,
    )


def _remote(
    entry: RemoteEntry, context: Context, expansion: Expansion, common: dict[str, Any]
) -> ServerDefinition:
    url = expansion.text("url", entry.url)
    headers = expansion.mapping("headers", entry.headers or {})
    helper = expansion.text("headersHelper", entry.headers_helper or "")
    oauth = _oauth(entry.oauth, expansion)
    _check_request(expansion, url, headers)
    return ServerDefinition(
        transport=_remote_transport(entry.type, url),
        url=url,
        headers=MappingProxyType(headers),
        proxy_env=MappingProxyType(
            {name: value for name, value in context.environment.items() if name in PROXY_VARIABLES}
        ),
        headers_helper=helper,
        helper_env=MappingProxyType(_helper_env(context) if helper else {}),
        oauth=oauth,
        confided=frozenset(expansion.used),
        **common,
    )


def _helper_env(context: Context) -> dict[str, str]:
    """Of the caller: who it is, and its way to the network."""
    environment = context.environment.items()
    return {name: value for name, value in environment if is_inherited(name) and not is_indifferent(name)}


def _oauth(entry: OAuthEntry | None, expansion: Expansion) -> OAuth | None:
    """None where the entry says that there is no login."""
    from .model import NO_LOGIN

    if entry is None or entry is NO_LOGIN:
        return OAuth() if entry is None else None
    key = "oauth"
    scopes = entry.scopes.split() if isinstance(entry.scopes, str) else entry.scopes or ()
    texts = {
        "client_id": ("clientId", entry.client_id),
        "client_secret": ("clientSecret", entry.client_secret),
        "redirect_uri": ("redirectUri", entry.redirect_uri),
        "client_metadata_url": ("clientMetadataUrl", entry.client_metadata_url),
        "private_key": ("privateKey", entry.private_key),
        "algorithm": ("algorithm", entry.algorithm),
        "issuer": ("issuer", entry.issuer),
    }
    resolved = OAuth(
        scopes=expansion.texts(nested_key(key, "scopes"), scopes),
        callback_port=entry.callback_port or 0,
        grant_type=entry.grant_type or "authorization_code",
        **{
            name: expansion.text(nested_key(key, spelled), text or "")
            for name, (spelled, text) in texts.items()
        },
    )
    _check_oauth(expansion, resolved)
    return resolved


def _check_oauth(expansion: Expansion, oauth: OAuth) -> None:
    """What contradicts itself or cannot be sent; the rest shows when somebody logs in."""
    if oauth.is_for_machines and not (oauth.client_id and (oauth.client_secret or oauth.private_key)):
        reason = "client_credentials needs `clientId`, and `clientSecret` or `privateKey`"
        expansion.complain("oauth.grantType", reason)
    if oauth.private_key and not oauth.is_for_machines:
        expansion.complain("oauth.privateKey", 'is for `"grantType": "client_credentials"`')
    if oauth.client_metadata_url and not _is_document_url(oauth.client_metadata_url):
        expansion.complain("oauth.clientMetadataUrl", "should be an https:// url with a path")
    if oauth.redirect_uri and not _is_loopback_url(oauth.redirect_uri):
        reason = "should be http:// on localhost or 127.0.0.1, with a port: the browser comes back to it"
        expansion.complain("oauth.redirectUri", reason)


def _remote_transport(written_type: str | None, url: str) -> Transport:
    if written_type in (None, "remote"):
        return Transport.SSE if "/sse" in url else Transport.HTTP
    return Transport.SSE if written_type == "sse" else Transport.HTTP


def _env_of_file(entry: StdioEntry, context: Context, expansion: Expansion) -> dict[str, str]:
    """The KEY=value lines of `envFile`; a value may refer to those before it, and to the caller's."""
    if not entry.env_file:
        return {}
    content = expansion.confided("envFile", ENV_FILE + expansion.text("envFile", entry.env_file))
    from io import StringIO

    from dotenv import dotenv_values

    env: dict[str, str] = {}
    for name, value in dotenv_values(stream=StringIO(content), interpolate=False).items():
        inner = expansion.within({**context.environment, **env})
        env[name] = inner.text(nested_key("envFile", name), value or "")
    return env


def _inherited(context: Context, more: bool | list[str] | None) -> dict[str, str]:  # noqa: FBT001 - `inheritEnv`
    always = {name: value for name, value in context.environment.items() if is_inherited(name)}
    return always | inherited(context.environment, more)


def _with_absolute_paths(context: Context) -> Context:
    """The certificates that the caller's environment names are below its folder, wherever a server runs."""
    given = {name: context.environment.get(name, "") for name in CERTIFICATE_VARIABLES}
    absolute = {
        name: os.pathsep.join(_below(context.cwd, path) for path in value.split(os.pathsep) if path)
        for name, value in given.items()
        if value
    }
    return replace(context, environment={**context.environment, **absolute}) if absolute else context


def _folder(written: str, context: Context) -> str:
    return os.path.normpath(_below(context.cwd, _from_home(written, context)))


def _from_home(written: str, context: Context) -> str:
    """With the caller's home for a ~ in front."""
    home = context.environment.get("HOME")
    if home and (written == "~" or written.startswith("~/")):
        return home + written[1:]
    return os.path.expanduser(written)  # noqa: PTH111 - leaves an unknown ~user alone, pathlib raises


def _below(folder: str, path: str) -> str:
    return path if path.startswith("/") else f"{folder}/{path}"


def _executable(command: str, path: str, cwd: str) -> str:
    """The absolute path of what the child would run, or the command as written when there is none."""
    from shutil import which

    if "/" in command:
        return which(_below(cwd, command)) or command
    # An empty or relative entry means the child's folder, not the daemon's.
    folders = (_below(cwd, folder) for folder in path.split(os.pathsep))
    return which(command, path=os.pathsep.join(folders)) or command


def _check_process(
    expansion: Expansion, command: str, args: tuple[str, ...], env: dict[str, str], cwd: str
) -> None:
    values = {"command": command, "cwd": cwd}
    values |= {nested_key("args", index): value for index, value in enumerate(args)}
    values |= {nested_key("env", name): value for name, value in env.items()}
    for key, value in values.items():
        if "\0" in value:
            expansion.complain(key, "holds a NUL character, which no process can be given")
    if not command.strip() and not expansion.problems:
        expansion.complain("command", "is empty")
    if any(not name or "=" in name or "\0" in name for name in env):
        expansion.complain("env", "the name of a variable is empty, or holds '=' or NUL")
    if expansion.problems:
        raise _Unresolvable


def _check_request(expansion: Expansion, url: str, headers: dict[str, str]) -> None:
    if not expansion.problems and not _is_http_url(url):
        expansion.complain("url", "should be an http:// or https:// url with a host, without spaces")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            expansion.complain("headers", "the name of a header is empty or holds a character it may not")
        elif not _HEADER_VALUE.fullmatch(value):
            reason = "holds a control character (a line end?) or one that is not ASCII"
            expansion.complain(nested_key("headers", name), reason)
    if expansion.problems:
        raise _Unresolvable


def _is_http_url(url: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bool(_URL.fullmatch(url))


def _is_document_url(url: str) -> bool:
    from urllib.parse import urlsplit

    return _is_http_url(url) and url.startswith("https://") and urlsplit(url).path not in ("", "/")


def _is_loopback_url(url: str) -> bool:
    from urllib.parse import urlsplit

    if not _is_http_url(url):
        return False
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1") and bool(parts.port)
