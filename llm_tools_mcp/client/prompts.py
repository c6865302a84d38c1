"""A server's prompt with its arguments → the texts and pieces of a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from llm_tools_mcp.errors import McpError, ToolCallError

from .requests import Message, Prompt, Requests


def find_prompt(requests: Requests, server: str, name: str) -> Prompt:
    """Raises McpError that names what there is."""
    prompts, failed = requests.prompts([server])
    if failed:
        raise McpError(failed[0].reason)
    for prompt in prompts:
        if prompt.name == name:
            return prompt
    if not prompts:
        raise McpError(f"{server!r} offers no prompts")
    known = ", ".join(prompt.name for prompt in prompts)
    raise McpError(f"server {server!r} has no prompt {name!r}; it has: {known}")


def check_arguments(prompt: Prompt, given: Mapping[str, str]) -> None:
    """Raises McpError for one that the prompt does not have."""
    known = [argument.name for argument in prompt.arguments]
    if unknown := [name for name in given if name not in known]:
        raise McpError(f"prompt {prompt.name!r} has no argument {unknown[0]!r}; {usage(prompt)}")


def missing_arguments(prompt: Prompt, given: Mapping[str, str]) -> list[str]:
    return [one.name for one in prompt.arguments if one.is_required and one.name not in given]


def usage(prompt: Prompt) -> str:
    """What it takes; what may be left out in brackets."""
    words = [f"{one.name}=…" if one.is_required else f"[{one.name}=…]" for one in prompt.arguments]
    return f"it takes: {' '.join(words) or 'nothing'}"


def needs(prompt: Prompt, missing: Iterable[str], why: str = "") -> McpError:
    """That arguments have to be given."""
    text = f"prompt {prompt.name!r} needs a value for {', '.join(map(repr, missing))}; {usage(prompt)}"
    return McpError(f"{text} ({why})" if why else text)


def filled_in(requests: Requests, prompt: Prompt, given: Mapping[str, str]) -> list[Message]:
    """Raises McpError; where the server refuses it also tells what the prompt takes."""
    try:
        messages = requests.messages(prompt.server, prompt.name, given)
    except ToolCallError as error:
        raise McpError(f"{error} ({usage(prompt)})") from error
    if not messages:
        raise McpError(f"prompt {prompt.name!r} of MCP server {prompt.server!r} is empty")
    return messages


def spoken(messages: Sequence[Message]) -> str:
    """The texts; with who says what, where it is not the user alone."""
    texts = [(one.role, one.contents.text) for one in messages if one.contents.text]
    if all(role != "assistant" for role, _ in texts):
        return "\n\n".join(text for _, text in texts)
    return "\n\n".join(f"{'Assistant' if role == 'assistant' else 'User'}: {text}" for role, text in texts)
