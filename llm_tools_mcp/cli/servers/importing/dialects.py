"""What single clients call otherwise than the others, and mean otherwise."""

from __future__ import annotations

from typing import Any

from .translation import Translation, Untranslatable


def plain(_: Translation) -> None:
    """Nothing of its own: Claude Desktop, Cursor, Windsurf."""


def claude_code(translation: Translation) -> None:
    """`timeout` is milliseconds, and less than a second counts as none."""
    timeout = translation.rest.get("timeout")
    if isinstance(timeout, int | float) and timeout < 1000:
        translation.drop("timeout")
    translation.take_seconds("timeout", "timeout", 1000)


def vscode(translation: Translation) -> None:
    """In Copilot's portable form `tools` says which to offer, ["*"] all of them."""
    if translation.rest.get("tools") == ["*"]:
        translation.drop("tools")
    elif isinstance(translation.rest.get("tools"), list):
        translation.take_tools("tools")


def gemini(translation: Translation) -> None:
    """`httpUrl` is streamable HTTP; `url` alone was SSE once, and is HTTP with SSE to fall back on now."""
    rest = translation.rest
    translation.take_seconds("timeout", "timeout", 1000)
    translation.take_tools("includeTools")
    if "url" in rest and not {"httpUrl", "type"} & rest.keys() and "/sse" not in str(rest["url"]):
        translation.notes.append('treated as streamable HTTP; if it speaks SSE, add "type": "sse"')


def codex(translation: Translation) -> None:
    """Every url is streamable HTTP, and variables are named instead of written as ${X}."""
    rest = translation.rest
    if "url" in rest:
        rest["type"] = "http"
    if "bearer_token" in rest:
        raise Untranslatable(
            "has bearer_token, which Codex refuses too: name a variable, bearer_token_env_var"
        )
    _codex_headers(translation)
    _codex_variables(translation)
    translation.take_seconds("startup_timeout_sec", "connectTimeout")
    translation.take_seconds("startup_timeout_ms", "connectTimeout", 1000)
    translation.take_seconds("tool_timeout_sec", "timeout")
    translation.take_tools("enabled_tools")
    translation.take("disabled_tools", "excludeTools")
    translation.drop("tools")  # which of them it may use without asking


def opencode(translation: Translation) -> None:
    translation.take_seconds("timeout", "connectTimeout", 1000)


def continue_dev(translation: Translation) -> None:
    """An older form holds command and url in `transport`; `connectionTimeout` is milliseconds."""
    transport = translation.rest.get("transport")
    if isinstance(transport, dict):
        translation.rest.pop("transport")
        translation.rest.update(transport)
    translation.take_seconds("connectionTimeout", "connectTimeout", 1000)


def goose(translation: Translation) -> None:
    """`env_keys` are secrets that goose keeps in the keyring; `timeout` is seconds."""
    rest = translation.rest
    translation.take_seconds("timeout", "timeout")
    names = rest.pop("env_keys", None)
    if isinstance(names, list) and names:
        own = _object(rest.get("envs", {}))
        rest["envs"] = {**{name: f"${{{name}}}" for name in names if isinstance(name, str)}, **own}
        translation.notes.append(f"set {', '.join(map(str, names))} in your environment: goose keeps them")


def kilo(translation: Translation) -> None:
    """The form of opencode, and in older files that of Roo Code, which it has grown out of."""
    is_older = isinstance(translation.rest.get("command"), str) or "alwaysAllow" in translation.rest
    (seconds if is_older else opencode)(translation)


def librechat(translation: Translation) -> None:
    """Milliseconds; `startup` false is a server that is started when a person wants it, as ours all are."""
    milliseconds(translation)
    translation.take_seconds("initTimeout", "connectTimeout", 1000)
    translation.drop("chatMenu", "iconPath", "startup", "requiresOAuth")


def fast_agent(translation: Translation) -> None:
    """A `target` is a url or a command line."""
    target = translation.rest.pop("target", None)
    if isinstance(target, str):
        translation.rest["url" if "://" in target.partition(" ")[0] else "command"] = target
    translation.take_seconds("read_timeout_seconds", "timeout")
    translation.drop("load_on_start")


def seconds(translation: Translation) -> None:
    """Crush, mcphost, Zed, Cline and Roo Code count in seconds."""
    translation.take_seconds("timeout", "timeout")


def milliseconds(translation: Translation) -> None:
    """Kiro and Amazon Q do not."""
    translation.take_seconds("timeout", "timeout", 1000)


def _codex_headers(translation: Translation) -> None:
    headers = dict(_object(translation.rest.pop("http_headers", {})))
    variables = _object(translation.rest.pop("env_http_headers", {}))
    headers |= {name: f"${{{variable}}}" for name, variable in variables.items()}
    if token := translation.rest.pop("bearer_token_env_var", None):
        headers["Authorization"] = f"Bearer ${{{token}}}"
    if headers:
        translation.entry["headers"] = headers


def _codex_variables(translation: Translation) -> None:
    """`env_vars` are passed on from the caller: names, or {name, source}."""
    given = translation.rest.pop("env_vars", [])
    if not isinstance(given, list):
        raise Untranslatable("has env_vars that are not a list")
    wanted = [item if isinstance(item, dict) else {"name": item} for item in given]
    if any(item.get("source") == "remote" for item in wanted):
        translation.notes.append("without its env_vars of a remote machine")
    names = [item.get("name") for item in wanted if item.get("source") != "remote"]
    if names:
        own = _object(translation.rest.get("env", {}))
        translation.rest["env"] = {**{name: f"${{{name}}}" for name in names if isinstance(name, str)}, **own}


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Untranslatable("has text where a table belongs")
    return value
