"""The shape of mcp.json, checked with pydantic. Imported by `parse` alone: pydantic is slow to load.

The wording of llm-tools-mcp 0.4 is kept. Messages are built from pydantic's `loc` and `msg`; its own
text would show the input, and with it the tokens in `env`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from llm_tools_mcp.errors import ConfigError

from . import advice
from .approval_mode import APPROVALS, NEVER
from .definition import public_url
from .document import decoded, is_disabled
from .guard_keys import misspelt_guards
from .problems import Problem, config_error, nested_key
from .secret_arguments import public_command

ALLOWED_TYPES = ("stdio", "http", "streamable-http", "sse")
# As other clients call them. Of what is `remote` the url tells which kind it is.
_STDIO_TYPES = frozenset({"stdio", "local"})
_TYPES = _STDIO_TYPES | {*ALLOWED_TYPES, "streamableHttp", "streamable_http", "remote"}
_TOP_KEYS = frozenset({"approve", "maxServers", "mcpServers", "registry", "search"})
_URLS = ("url", "serverUrl", "httpUrl")

_NOT_AN_OBJECT = "Input should be an object"
# Python's words for what JSON calls otherwise.
_JSON_WORDS = {"dict_type": _NOT_AN_OBJECT, "list_type": "Input should be a valid array"}

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _spelled(*names: str) -> Any:
    return Field(default=None, validation_alias=AliasChoices(*names))


def _true_or_names(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return value
    raise PydanticCustomError("inherit_env", "Input should be true, false or an array of names")


class Entry(BaseModel):
    """What every server may say. null stands for the default, as it always did for args and env."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)

    type: str | None = None
    disabled: bool | None = None
    enabled: bool | None = None
    protocol: Literal["auto", "legacy", "modern"] | None = None
    include_tools: list[str] | None = _spelled("includeTools", "include_tools")
    exclude_tools: list[str] | None = _spelled("excludeTools", "exclude_tools")
    enabled_tools: list[str] | None = _spelled("enabledTools", "enabled_tools")
    disabled_tools: list[str] | None = _spelled("disabledTools", "disabled_tools")
    approve: Literal["never", "writes", "always"] | None = None
    always_allow: list[str] | None = _spelled("alwaysAllow", "always_allow")
    auto_approve: list[str] | None = _spelled("autoApprove", "auto_approve")
    timeout: Seconds | None = None
    connect_timeout: Seconds | None = _spelled("connectTimeout", "connect_timeout")
    idle_timeout: Seconds | None = _spelled("idleTimeout", "idle_timeout")
    output_limit: Annotated[int, Field(ge=0)] | None = _spelled("outputLimit", "output_limit")
    always_load: bool | None = _spelled("alwaysLoad", "always_load")


class StdioEntry(Entry):
    command: str
    args: list[str] | None = None
    env: dict[str, str] | None = None
    cwd: str | None = None
    env_file: str | None = _spelled("envFile", "env_file")
    inherit_env: Annotated[Any, AfterValidator(_true_or_names)] = _spelled("inheritEnv", "inherit_env")
    instances: Annotated[int, Field(ge=1)] | None = None


class OAuthEntry(BaseModel):
    """The key `oauth`, as Claude Code and Gemini CLI spell what they know of it."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)

    client_id: str | None = _spelled("clientId", "client_id")
    client_secret: str | None = _spelled("clientSecret", "client_secret")
    scopes: list[str] | str | None = None
    callback_port: Annotated[int, Field(ge=0, le=65535)] | None = _spelled("callbackPort", "callback_port")
    redirect_uri: str | None = _spelled("redirectUri", "redirect_uri")
    client_metadata_url: str | None = _spelled("clientMetadataUrl", "client_metadata_url")
    grant_type: Literal["authorization_code", "client_credentials"] | None = _spelled(
        "grantType", "grant_type"
    )
    private_key: str | None = _spelled("privateKey", "private_key")
    algorithm: str | None = None
    issuer: str | None = None
    idp_issuer: str | None = _spelled("idpIssuer", "idp_issuer")
    idp_client_id: str | None = _spelled("idpClientId", "idp_client_id")
    idp_client_secret: str | None = _spelled("idpClientSecret", "idp_client_secret")
    id_token: str | None = _spelled("idToken", "id_token")


# `"oauth": false`: this server is never logged in to.
NO_LOGIN = OAuthEntry()


def _oauth(value: object) -> object:
    return NO_LOGIN if value is False else value


class RemoteEntry(Entry):
    url: str = Field(validation_alias=AliasChoices(*_URLS))
    headers: dict[str, str] | None = None
    headers_helper: str | None = _spelled("headersHelper", "headers_helper")
    oauth: Annotated[OAuthEntry | None, BeforeValidator(_oauth)] = None


@cache
def spellings(model: type[BaseModel]) -> frozenset[str]:
    aliases = {name: info.validation_alias for name, info in model.model_fields.items()}
    return frozenset(
        str(spelling)
        for name, alias in aliases.items()
        for spelling in (alias.choices if isinstance(alias, AliasChoices) else [name])
    )


KNOWN_KEYS = frozenset(spellings(StdioEntry) | spellings(RemoteEntry))
KNOWN_OAUTH_KEYS = spellings(OAuthEntry)


def usual_keys(entry: Mapping[str, object]) -> list[str]:
    """What an entry of this kind may hold, each key as it is mostly spelled."""
    aliases = {name: info.validation_alias for name, info in _model(entry).model_fields.items()}
    return [
        str(alias.choices[0]) if isinstance(alias, AliasChoices) else name for name, alias in aliases.items()
    ]


def validated(path: str, servers: Mapping[str, object]) -> dict[str, StdioEntry | RemoteEntry | ConfigError]:
    """Check the servers that `enabled_servers` found, each for itself."""
    outcomes = ((name, _validated_server(name, value)) for name, value in servers.items())
    return {
        name: outcome if isinstance(outcome, Entry) else config_error(path, outcome)
        for name, outcome in outcomes
    }


def enabled_servers(path: str, text: str) -> dict[str, Any]:
    """`mcpServers` as it stands in the text, its values unchecked. Raises ConfigError."""
    top = decoded(path, text)
    if not isinstance(top, dict):
        raise ConfigError(path, _NOT_AN_OBJECT)
    if "mcpServers" not in top:
        hint = advice.about_top(path, top)
        repair = advice.import_command(path) if "llm mcp import" in hint else ""
        raise config_error(path, [Problem(f"Field required{hint}", key="mcpServers")], repair)
    servers = top["mcpServers"]
    if not isinstance(servers, dict):
        hint = advice.about_servers(path, servers)
        raise config_error(path, [Problem(f"{_NOT_AN_OBJECT}{hint}", key="mcpServers")])
    if misspelt := list(misspelt_guards(top, _TOP_KEYS, ("approve",))):
        raise config_error(path, misspelt)
    return {name: value for name, value in servers.items() if not is_disabled(value)}


def approval_of_all(path: str, text: str) -> str:
    """What the config says of all its servers, beside `mcpServers`. Raises ConfigError."""
    approve = decoded(path, text).get("approve") if '"approve"' in text else None
    if approve is None:
        return NEVER
    if approve not in APPROVALS:
        raise config_error(path, [Problem(f"there are: {', '.join(APPROVALS)}", key="approve")])
    return str(approve)


def max_servers(path: str, text: str) -> int | None:
    """The config's own word on how many servers may live at once. Raises ConfigError."""
    if '"maxServers"' not in text:
        return None
    wanted = decoded(path, text).get("maxServers")
    if wanted is None or (isinstance(wanted, int) and not isinstance(wanted, bool) and wanted > 0):
        return wanted
    raise config_error(path, [Problem("Input should be a whole number, 1 or more", key="maxServers")])


def _validated_server(name: str, value: object) -> StdioEntry | RemoteEntry | list[Problem]:
    if not _is_unicode([name, value]):
        return [Problem("not valid Unicode: half of a \\ud800 pair", name)]
    if not isinstance(value, dict):
        return [Problem(_NOT_AN_OBJECT, name)]
    given = _without_the_other(value)
    unclear = _unclear_type(name, given)
    if unclear:
        return [unclear]
    misspelt = list(misspelt_guards(given, KNOWN_KEYS, server=name))
    try:
        valid = _model(given).model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return misspelt + [_problem(name, item["type"], item["msg"], item["loc"], given) for item in found]
    return misspelt or valid


def _without_the_other(entry: dict[str, Any]) -> dict[str, Any]:
    """Some programs write both command and url, and null for the one that is none."""
    given = {key for key in ("command", *_URLS) if entry.get(key) is not None}
    return {key: value for key, value in entry.items() if value is not None or key == "type" or not given}


def _problem(name: str, kind: str, message: str, loc: tuple[int | str, ...], given: Any) -> Problem:
    key = str(loc[0])
    is_missing = kind == "missing"
    hint = advice.about_missing(key, given) if is_missing else advice.about_value(kind, key, _at(given, loc))
    return Problem(f"{_JSON_WORDS.get(kind, message)}{hint}", name, _key(loc))


def _at(value: Any, loc: tuple[int | str, ...]) -> Any:
    for step in loc:
        try:
            value = value[step]
        except (LookupError, TypeError):  # of a wrong name the last step is "[key]"
            return None
    return value


def _is_unicode(value: object) -> bool:
    """JSON can write half a character, which neither a process nor the wire can be given."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _model(value: Mapping[str, object]) -> type[StdioEntry | RemoteEntry]:
    is_stdio = value["type"] in _STDIO_TYPES if "type" in value else "command" in value
    return StdioEntry if is_stdio else RemoteEntry


def _unclear_type(name: str, value: Mapping[str, object]) -> Problem | None:
    if "type" in value:
        return _wrong_type(name, value["type"])
    urls = [value[key] for key in _URLS if key in value]
    if urls and "command" in value:
        return Problem(
            "Only 'url' or 'command' is allowed, not both. "
            f"Provided 'url': {_public(urls[0], public_url)}, "
            f"provided 'command': {_public(value['command'], public_command)}",
            name,
        )
    if urls or "command" in value:
        return None
    return Problem(
        "Could not deduce MCP server type. Provide 'url' or 'command'. "
        f"You can explicitly specify the type with 'type' field.{advice.about_keys(value)}",
        name,
    )


def _wrong_type(name: str, given: object) -> Problem | None:
    if not isinstance(given, str):
        return Problem("Server 'type' should be string", name, "type")
    if given in _TYPES:
        return None
    allowed = list(ALLOWED_TYPES)
    hint = advice.about_type(given, ALLOWED_TYPES)
    shown = (
        given if re.fullmatch(r"[A-Za-z-]{1,20}", given) else "(no word)"
    )  # it may stand in the wrong place
    return Problem(
        f"Unknown server 'type'. Provided 'type': {shown}. Allowed types: {allowed}{hint}", name, "type"
    )


def _public(value: object, shown: Any) -> str:
    return str(shown(value)) if isinstance(value, str) else "(not a string)"


def _key(loc: tuple[int | str, ...]) -> str:
    """`timeout`, `args[0]`, `env.TOKEN`; pydantic says ("env", "TOKEN", "[key]") of a wrong name."""
    first, *rest = loc
    return nested_key(str(first), rest[0]) if rest else str(first)
