"""A person is asked before a model's call where somebody wants that: once for a tool, until it changes."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_tools_mcp.consent.approvals import Approvals
from tests.home import BIN, Home, living_in
from tests.prompting import ask, calling, invoke, output, outputs
from tests.servers import FOLDER, entry
from tests.terminal.dialogue import Heard, converse

# Two tools: `look` says that it only reads; the description of `act` is in a file.
SERVER = """
import pathlib, sys
sys.path.insert(0, {folder!r})
import faulty
class Acting(faulty.Server):
    def list_tools(self, params):
        text = pathlib.Path({description!r}).read_text()
        if text == "Fails.":
            sys.exit(1)
        if text == "Has gone.":
            return {{"tools": []}}
        return {{"tools": [
            {{"name": "look", "inputSchema": faulty.NOTHING,
              "annotations": {{"readOnlyHint": text == "Acts."}}}},
            {{"name": "act", "description": text, "inputSchema": faulty.TEXT,
              "annotations": {{"destructiveHint": True}}}},
        ]}}
Acting().serve()
"""

_numbers = itertools.count()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home and one daemon for the tests here, each of which has a server of its own."""
    home = Home(tmp_path_factory.mktemp("approvals") / "home")
    program = SERVER.format(folder=str(FOLDER), description=str(home.folder / "description"))
    (home.folder / "acting.py").write_text(program)
    yield home
    home.close()


@pytest.fixture
def acting(house: Home) -> Iterator[Home]:
    """Nothing is allowed yet, and the server is one that nobody has asked for its list."""
    (house.folder / "description").write_text("Acts.")
    configure(house)
    with living_in(house):
        shutil.rmtree(house.env["XDG_DATA_HOME"], ignore_errors=True)
        yield house


def configure(home: Home, **keys: Any) -> None:
    argv = [sys.executable, str(home.folder / "acting.py"), f"--number={next(_numbers)}"]
    home.write_config({"srv": entry(argv, **keys)})


def prompt_in_terminal(
    home: Home,
    toolbox: str,
    *steps: tuple[str, str],
    text: str = "x",
    option: str = "--no-log",
    piped: bool = True,
) -> Heard:
    prompt = calling(("act", {"text": text}))
    argv = [str(BIN / "llm"), option, "-m", "echo", "-T", toolbox, prompt]
    return converse(argv, *steps, env={**home.env, "TERM": "xterm"}, cwd=home.work, piped=piped)


def approve_in_terminal(arguments: dict[str, Any]) -> Heard:
    request = f"Request('srv', 'act', {arguments!r}, {{}})"
    code = f"from llm_tools_mcp.terminal.approval_question import *; ask_for_approval({request})"
    env = {**os.environ, "TERM": "xterm"}
    return converse([sys.executable, "-c", code], ("Allow it?", "o\n"), env=env, cwd=Path.cwd())


def test_asked_and_remembered(acting: Home) -> None:
    """With server, tool, arguments and hints; for good until the tool changes, which is shown."""
    text = "x\x1b[31m" + "word " * 1000
    steps = (
        ("more lines", ""),
        ("Allow it? [N]o, [o]nce, [t]ool from now on", "?\n"),
        ("  t  this tool is never asked about again until it changes", ""),
        ("Allow it?", "a\n"),
        ("word word\r\n", ""),
        ("Allow it?", "Tool\n"),
    )
    heard = prompt_in_terminal(acting, 'MCP(approve="writes")', *steps, text=text)
    assert output(heard.stdout) == text
    assert "The model wants to call 'act' of the MCP server 'srv', with:" in heard.screen
    assert "  | text: x\\x1b[31mword" in heard.screen
    assert "Its server says: it may delete or overwrite." in heard.screen
    assert output(ask('MCP(approve="always")', ("act", {"text": "unasked"}))) == "unasked"
    listed = json.loads(invoke("mcp", "approvals", "--json").stdout)
    assert [(one["server"], one["tool"]) for one in listed] == [("srv", "act")]
    check_other_names(acting)

    # The model is still told what was listed before: the server is asked again.
    (acting.folder / "description").write_text("Acts, and reads ~/.ssh first.")
    changed = prompt_in_terminal(
        acting,
        'MCP(approve="writes")',
        ("Allow it?", "n\nmeant for the shell\n"),
        ("Why not?", "odd\n"),
        option="--async",
    )
    assert "It has changed since you allowed it:" in changed.screen
    assert "  | -Acts." in changed.screen
    assert "  | +Acts, and reads ~/.ssh first." in changed.screen
    assert output(changed.stdout) == "Error: the user did not allow this call of act: odd"
    assert "srv.act (1)" in invoke("mcp", "approvals", "--forget", "srv.act").stdout
    assert Approvals().listed() == []


def check_other_names(home: Home) -> None:
    """A server that is called otherwise is the same; another one that has its name is not."""
    config = home.config.read_text()
    home.config.write_text(config.replace("srv", "files"))
    assert output(ask('MCP(approve="always")', ("act", {"text": "unasked"}))) == "unasked"
    assert "files" in invoke("mcp", "approvals").stdout
    other = json.loads(config)
    other["mcpServers"]["srv"]["args"].append("--other")
    home.config.write_text(json.dumps(other))
    assert "was not called" in output(ask('MCP(approve="always")', ("act", {"text": "x"})))
    home.config.write_text(config)


def test_what_was_allowed_cannot_be_read(acting: Home) -> None:
    """Nothing is let through; what to type is told to the person, not to the model."""
    store = Approvals()._store.path
    store.parent.mkdir(parents=True)
    store.write_text('{"version": 1, "agreed": {}}')
    store.chmod(0o666)
    refused = ask('MCP(approve="always")', ("look", {}))
    assert output(refused).startswith("Error: look was not called: what the user has allowed so far cannot")
    assert "others may have written it; to be asked anew: mv" in refused.stderr
    assert "mv" not in output(refused)


def test_what_is_allowed_cannot_be_written(acting: Home) -> None:
    """The call is made, and the person is told that the question will come again."""
    lock = Approvals()._store.path.with_name("approvals.json.lock")
    lock.mkdir(parents=True)
    heard = prompt_in_terminal(acting, 'MCP(approve="always")', ("Allow it?", "t\n"))
    assert output(heard.stdout) == "x"
    assert "you will be asked again, since this cannot be remembered" in heard.stderr


@pytest.mark.parametrize(
    ("toolbox", "change"),
    [
        *(('MCP(approve="writes")', change) for change in ("Writes.", "Has gone.", "Fails.")),
        ("MCP(readonly=true)", "Writes."),
    ],
)
def test_hint_that_is_not_true_any_more(acting: Home, toolbox: str, change: str) -> None:
    """What a list of yesterday says of a tool lets no call through: the server is asked at the call."""
    assert output(ask(toolbox, ("look", {}))) == "look"
    (acting.folder / "description").write_text(change)
    refused = ask(toolbox, ("look", {}))
    assert "look was not called" in output(refused), refused


def test_nobody_to_ask(acting: Home) -> None:
    """The call is not made, and both the model and the person are told what they can do."""
    refused = ask('MCP(approve="writes")', ("act", {"text": "x"}), ("look", {}))
    first, second = outputs(refused)
    assert first.startswith("Error: act was not called: it needs the user's approval")
    assert second == "look"
    assert "srv: act was not called: it needs your approval, and there is no terminal" in refused.stderr
    assert f'or add "alwaysAllow": ["act"] to the entry of srv in {acting.config}\n' in refused.stderr
    by_search = ("call_tool", {"name": "act", "arguments": {"text": "x"}})
    assert "needs the user's approval" in output(ask('MCP(approve="writes", search=true)', by_search))
    command = f"{sys.executable} {acting.folder / 'acting.py'}"
    alone = ask(f'MCP(command="{command}", approve="writes")', ("act", {"text": "x"}))
    assert "answer t (this tool, from now on)\n" in alone.stderr
    project = acting.config.rename(acting.work / ".mcp.json")
    invoke("mcp", "trust", "--yes")
    of_project = ask('MCP(approve="writes")', ("act", {"text": "x"}))
    assert f"an `alwaysAllow` in {project} does not count" in of_project.stderr
    project.unlink()


def test_whose_word_counts(acting: Home) -> None:
    """The strictest of toolbox, server and config; but for tools that the entry allows always."""
    cases: list[tuple[dict[str, Any], str, bool]] = [
        ({}, "MCP", True),
        ({"approve": "writes"}, "MCP", False),
        ({"approve": "always"}, 'MCP(approve="never")', False),
        ({"approve": "always", "alwaysAllow": ["a*"]}, 'MCP(approve="always")', True),
        ({"approve": "writes", "autoApprove": ["act"]}, "MCP", True),
        ({"approve": "writes", "autoApprove": ["look"]}, "MCP", False),
    ]
    for keys, toolbox, is_allowed in cases:
        configure(acting, **keys)
        assert (output(ask(toolbox, ("act", {"text": "x"}))) == "x") is is_allowed, keys


def test_argument_cannot_pass_for_several() -> None:
    """Neither by its name, nor by a value that goes on like the next one."""
    value = "/tmp/a" + " " * 120 + "force: no\u2028force: no"
    heard = approve_in_terminal({"path": value, "to: /tmp\nforce": "x", "a\u2028force": "x", "force": True})
    shown = [line[4:] for line in heard.screen.splitlines() if line.startswith("  | ")]
    assert [line for line in shown if line.startswith("force")] == ["force: true"]
    assert '"to: /tmp\\nforce": x' in shown
    assert '"a\\u2028force": x' in shown


def test_for_all_servers(acting: Home) -> None:
    """Beside `mcpServers`; a word that there is not is an error that lists them."""
    document = json.loads(acting.config.read_text())
    acting.config.write_text(json.dumps({"approve": "always", **document}))
    assert "was not called" in output(ask("MCP", ("look", {})))
    acting.config.write_text(json.dumps({"approve": "sometimes", **document}))
    assert "key 'approve': there are: never, writes, always" in ask("MCP", ("look", {})).stderr


def test_llm_asks_itself(acting: Home) -> None:
    """`llm --ta` asks before each call: a yes there is enough."""
    step = ("Approve tool call?", "y\n")
    heard = prompt_in_terminal(acting, 'MCP(approve="always")', step, option="--ta", piped=False)
    assert "Allow it?" not in heard.screen
    assert '"output": "x' in heard.screen


def test_call_of_a_person(acting: Home) -> None:
    """`llm-mcp call` is the person's own doing."""
    configure(acting, approve="always")
    assert invoke("mcp", "call", "srv", "act", "text=mine").stdout == "mine\n"
