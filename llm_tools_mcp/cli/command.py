"""What our commands have beyond click's: examples in their help, suggestions, and errors as JSON."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from llm_tools_mcp.errors import McpError

# The parameter behind --json.
_AS_JSON = "as_json"

# In the context's `meta`: whether `--` was typed, which click swallows.
HAS_DASHES = "llm_tools_mcp.has_dashes"


class _WithExamples(click.Command):
    """A command whose help ends with examples: lines to type."""

    examples: tuple[str, ...] = ()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Group(_WithExamples, click.Group):
    """Commands under one word."""


class Command(_WithExamples):
    # What is added where an option is unknown; and what is said instead of those that others have.
    hint = ""
    instead: Mapping[str, str] = {}
    # What stands beside the `error` of what is printed with --json.
    error_shape: Mapping[str, Any] = {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        has_json = any(parameter.name == _AS_JSON for parameter in self.params)
        ctx.meta[HAS_DASHES] = "--" in args
        options = args[: args.index("--")] if "--" in args else args
        with self._errors_as_json(wanted=has_json and "--json" in options):
            try:
                return super().parse_args(ctx, args)
            except click.NoSuchOption as error:
                meant = self.instead.get(error.option_name)
                said = f"there is no option {error.option_name}: {meant}" if meant else error.format_message()
                raise click.UsageError(f"{said}{self.hint}", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        with self._errors_as_json(wanted=bool(ctx.params.get(_AS_JSON))), _text_alone():
            return super().invoke(ctx)

    @contextmanager
    def _errors_as_json(self, *, wanted: bool) -> Iterator[None]:
        """Whoever asked for JSON gets an object on stdout; the words for people follow on stderr."""
        try:
            yield
        except (McpError, OSError, click.ClickException) as error:
            if wanted:
                from llm_tools_mcp.terminal.screen import print_json

                print_json({**self.error_shape, "error": words_for(error)})
            raise


@contextmanager
def _text_alone() -> Iterator[None]:
    """A shell passes on any bytes, and the wire none but UTF-8: no server and no tool is called so."""
    try:
        yield
    except UnicodeEncodeError as error:
        if error.encoding != "utf-8":
            raise
        raise click.ClickException("what was typed is no UTF-8 text") from error


def words_for(error: McpError | OSError | click.ClickException) -> str:
    """What a person reads of it. Raises an OSError that is a fault of ours."""
    from llm_tools_mcp.system.access import obstacle
    from llm_tools_mcp.text.plain import plain

    if isinstance(error, click.ClickException):
        return plain(error.format_message())
    if isinstance(error, McpError):
        return plain(str(error))  # names in a config are anything
    if error.errno == errno.ENOSPC:
        return "the output cannot be written: no space is left"
    if error.filename is None:
        raise error
    return plain(str(obstacle(error)))


def command(
    name: str,
    *examples: str,
    hint: str = "",
    instead: Mapping[str, str] | None = None,
    error_shape: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> Callable[[Callable[..., Any]], Command]:
    """As click.command, with examples."""

    def decorate(function: Callable[..., Any]) -> Command:
        made = click.command(name, cls=Command, **attributes)(function)
        made.examples, made.hint, made.error_shape = examples, hint, error_shape or {}
        made.instead = instead or {}
        return made

    return decorate


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`; did you mean 'status'?`, or nothing where nothing is near."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    near = get_close_matches(given.lower(), names, n=1, cutoff=0.6)
    # list_dir → list_directory: far by letters, near by meaning.
    near = near or [name for name in names if len(given) > 2 and name.startswith(given.lower())][:1]
    return f"; did you mean {names[near[0]]!r}?" if near else ""


as_json = click.option("--json", _AS_JSON, is_flag=True, help="Print JSON.")
refresh_option = click.option(
    "--refresh", is_flag=True, help="Ask the servers again, instead of showing what they said last."
)
config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(),
    metavar="PATH",
    help="Another config than ~/.llm-tools-mcp/mcp.json.",
)
