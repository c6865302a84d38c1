"""One server of another MCP client → its entry in mcp.json, and what is lost on the way.

What most clients share stands here; what one of them calls otherwise is its dialect (dialects.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_tools_mcp.cli.servers.literal_secrets import literals

from .commands import adapt_command
from .documents import Json
from .logins import take_login
from .placeholders import Origin, Placeholders
from .shapes import number_in, unfold_command, unfold_headers, unfold_pairs


@dataclass(frozen=True, slots=True)
class Found:
    """A server of another client. `entry` is None where it cannot be translated; `notes` say what is lost."""

    name: str
    entry: Json | None
    source: Path
    notes: tuple[str, ...] = ()


class Untranslatable(Exception):
    """The text says why."""


class Translation:
    """One entry on its way: what is taken from `rest` goes to `entry`, which is ours."""

    def __init__(self, raw: Mapping[str, Any], origin: Origin) -> None:
        unsaid = {key for key in ("command", "url") if raw.get(key) == ""}
        self.rest: Json = {
            key: value for key, value in raw.items() if value is not None and key not in unsaid
        }
        self.origin = origin
        self.entry: Json = {}
        self.notes: list[str] = []

    def take(self, key: str, ours: str = "") -> None:
        """Move a key as it is; of two that mean the same the first one counts."""
        if key in self.rest:
            self.entry.setdefault(ours or key, self.rest.pop(key))

    def take_seconds(self, key: str, ours: str, per_second: int = 1) -> None:
        value = number_in(self.rest.pop(key, None))
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            self.entry.setdefault(ours, value / per_second if per_second != 1 else value)
        elif value is not None:
            self.notes.append(f"without {key}, which is not a number of seconds")

    def take_tools(self, key: str) -> None:
        """A list of the only tools to offer, where an empty one means none; here it means all."""
        self.take(key, "includeTools")
        if self.entry.get("includeTools") == []:
            self.entry.pop("includeTools")
            self.entry["excludeTools"] = ["*"]

    def drop(self, *keys: str) -> None:
        """Forget what has no meaning here and costs nobody anything."""
        for key in keys:
            self.rest.pop(key, None)


Dialect = Callable[[Translation], None]

_OURS = (
    *("command", "args", "env", "cwd", "url", "headers"),
    *("includeTools", "include_tools", "excludeTools", "exclude_tools", "inheritEnv", "envFile"),
    *("connectTimeout", "connect_timeout", "idleTimeout", "idle_timeout", "protocol", "instances"),
)
# Who may use what without asking, and how it is presented: the other client's business.
_MEANINGLESS = (
    *("trust", "default_tools_approval_mode"),
    *(
        "name",
        "title",
        "display_name",
        "description",
        "icon",
        "iconUrl",
        "provider",
        "gallery",
        "version",
        "dev",
        "metadata",
    ),
    *("bundled", "source", "settings", "lifecycle", "clientName", "tokenCacheDir", "slug", "roots"),
    *("alwaysLoad", "required", "supports_parallel_tool_calls", "watchPaths"),
    *("start_on_launch", "fromGalleryId", "anythingllm", "isBuiltin", "registryUrl", "tags", "logoUrl"),
    *("providerUrl", "iconPath", "id"),
)
_NO_LOGIN = "this way to log in is not known here: try llm mcp login, or give a token in headers"
_LOST = {
    "sandbox": "it is not sandboxed here",
    "sandboxEnabled": "it is not sandboxed here",
    **dict.fromkeys(("oauth", "auth", "authentication", "authProviderType"), _NO_LOGIN),
    **dict.fromkeys(("oauth_resource", "scopes"), _NO_LOGIN),
}
_TYPES = {"stdio": "stdio", "local": "stdio", "http": "http", "streamablehttp": "http", "sse": "sse"}
_URLS = dict.fromkeys(("url", "serverUrl", "baseUrl", "uri", "endpoint")) | {"httpUrl": "http"}
_SWITCHES = ("enabled", "isEnabled", "active", "isActive", "is_active")
_ENVIRONMENTS = ("env", "environment", "envs", "environmentVariables")


def translated(name: str, raw: Any, origin: Origin, dialect: Dialect, *, is_off: bool = False) -> Found:
    """What another client's entry means in mcp.json. `is_off`: that client has switched it off."""
    if not isinstance(raw, dict):
        return Found(name, None, origin.path, ("is not an object",))
    translation = Translation(raw, origin)
    try:
        dialect(translation)
        _take_what_is_common(translation)
    except Untranslatable as reason:
        return Found(name, None, origin.path, (str(reason),))
    translation.notes += take_login(translation.rest, translation.entry, name)
    _take_switch(translation, is_off=is_off)
    _name_the_lost(translation)
    said = {key: value for key, value in translation.entry.items() if value not in ([], {})}
    entry = Placeholders(origin, said, translation.notes).entry()
    translation.notes += dict.fromkeys(one.advice for one in literals(entry))
    return Found(name, entry, origin.path, tuple(dict.fromkeys(translation.notes)))


def _take_what_is_common(translation: Translation) -> None:
    kind = _kind(translation)
    unfold_command(translation.rest)
    for key in _ENVIRONMENTS:
        unfold_pairs(translation.rest, key, "=")
        translation.take(key, "env")
    unfold_headers(translation.rest)
    for key in _OURS:
        translation.take(key)
    kind = _take_url(translation) or kind
    for key in ("enabledTools", "enabled_tools", "allowedTools", "available_tools"):
        translation.take_tools(key)
    for key in ("disabledTools", "disabled_tools", "excludedTools", "disallowedTools"):
        translation.take(key, "excludeTools")
    _take_token(translation)
    _take_timeout(translation)
    _take_allowed(translation)
    if ("command" in translation.entry) == ("url" in translation.entry):
        which = "both command and url" if "url" in translation.entry else "neither command nor url"
        raise Untranslatable(f"has {which}")
    if "url" in translation.entry and translation.entry.pop("env", None):
        translation.notes.append("without its env, which is for a command")
    _keep_type(translation, kind)
    _make_text(translation)
    if isinstance(translation.entry.get("command"), str):
        adapt_command(translation.entry, translation.origin.folder, translation.notes)


def _kind(translation: Translation) -> str | None:
    """`type`, or how else it is called: ours, "" for what the url tells, None for nothing said."""
    given = [translation.rest.pop(key, None) for key in ("type", "transport", "transportType")]
    kind = next((kind for kind in given if kind is not None), None)
    if kind is None:
        return None
    plain = re.sub(r"[^a-z]", "", kind.lower()) if isinstance(kind, str) else ""
    if plain in ("remote", "streamable"):
        return ""
    if plain in ("builtin", "platform", "frontend", "inlinepython"):
        raise Untranslatable(f"is a part of that client (type {plain})")
    if plain not in _TYPES:
        shown = f" {kind!r}" if isinstance(kind, str) and re.fullmatch(r"[\w-]{1,20}", kind) else ""
        raise Untranslatable(f"its type{shown} is not known here")
    return _TYPES[plain]


def _take_url(translation: Translation) -> str | None:
    """What the name of the key says about the type."""
    kinds = [kind for key, kind in _URLS.items() if key in translation.rest and kind]
    if "httpUrl" in translation.rest:
        translation.entry["url"] = translation.rest.pop("httpUrl")
    for key in _URLS:
        translation.take(key, "url")
        translation.drop(key)
    url = translation.entry.get("url")
    if isinstance(url, str) and re.match(r"(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:", url):
        raise Untranslatable("its url is not an http one")
    return kinds[0] if kinds else None


def _take_token(translation: Translation) -> None:
    """For fastmcp `auth` is a bearer token, unless it asks for OAuth."""
    token = translation.rest.get("auth")
    headers = translation.entry.get("headers", {})
    if isinstance(token, str) and token != "oauth" and isinstance(headers, dict):  # noqa: S105 - a word
        translation.entry["headers"] = {"Authorization": f"Bearer {translation.rest.pop('auth')}", **headers}


def _take_timeout(translation: Translation) -> None:
    """Where the client is not known: Cline and Roo count up to an hour in seconds, others milliseconds."""
    translation.take_seconds("networkTimeout", "timeout", 1000)
    value = number_in(translation.rest.get("timeout"))
    if not isinstance(value, int | float):
        translation.take_seconds("timeout", "timeout")
        return
    counts_seconds = (
        value <= 3600 if {"alwaysAllow", "autoApprove"} & translation.rest.keys() else value < 1000
    )
    if not counts_seconds:
        translation.notes.append(f"its timeout of {value:g} is read as milliseconds")
    translation.take_seconds("timeout", "timeout", 1 if counts_seconds else 1000)


def _take_allowed(translation: Translation) -> None:
    """What may be called without asking. An empty list says nothing."""
    for key in ("alwaysAllow", "autoApprove"):
        value = translation.rest.pop(key, None)
        if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
            translation.entry[key] = value


def _keep_type(translation: Translation, kind: str | None) -> None:
    """Only where it is not what everybody would infer."""
    url = str(translation.entry.get("url", ""))
    evident = "stdio" if "command" in translation.entry else "sse" if "/sse" in url else "http"
    if kind and kind != evident:
        translation.entry["type"] = kind


def _make_text(translation: Translation) -> None:
    """Numbers are allowed elsewhere; null, which takes a variable away, has no counterpart."""
    for key in ("env", "headers"):
        values = translation.entry.get(key)
        if isinstance(values, dict):
            if None in values.values():
                translation.notes.append(f"without the null values in {key}")
            translation.entry[key] = {
                name: _text(value) for name, value in values.items() if value is not None
            }
    if isinstance(translation.entry.get("args"), list):
        translation.entry["args"] = [_text(value) for value in translation.entry["args"]]


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _take_switch(translation: Translation, *, is_off: bool) -> None:
    rest = translation.rest
    switches = [rest.pop("disabled", False) in (True, "true")]
    switches += [rest.pop(key, True) in (False, "false") for key in _SWITCHES]
    if is_off or any(switches):
        translation.entry["disabled"] = True
        translation.notes.append("is switched off there, and is added as disabled")


def _name_the_lost(translation: Translation) -> None:
    """What is empty or switched off is no loss."""
    translation.drop(*_MEANINGLESS)
    if translation.rest.get("sandboxEnabled") is False:
        translation.drop("sandbox")
    lost = [key for key, value in translation.rest.items() if value not in (False, "", [], {})]
    reasons: dict[str, list[str]] = {}
    for key in (key for key in lost if key in _LOST):
        reasons.setdefault(_LOST[key], []).append(key)
    translation.notes += [f"without {', '.join(keys)}: {reason}" for reason, keys in reasons.items()]
    others = [key for key in lost if key not in _LOST and re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", key)]
    if others:
        translation.notes.append(f"without {', '.join(others)}")
    if len(lost) > len(others) + sum(key in _LOST for key in lost):
        translation.notes.append("without a key of an unusual name")
