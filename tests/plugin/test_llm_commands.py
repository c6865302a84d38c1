"""The main job through the real `llm` command: prompts, chat, conversations, templates, logs, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from llm_tools_mcp.plugin import notices
from tests.daemon.live import variant
from tests.home import BIN, Home, living_in
from tests.programs import Result, end
from tests.prompting import ask, calling, invoke, output, outputs, prompt
from tests.servers import entry, everything_server, faulty_server, naming_server
from tests.waiting import SOON, wait_until

SECRET = "s3cr3t-v4lue"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home for most tests here: their prompts find the daemon and its servers as users do."""
    home = Home(tmp_path_factory.mktemp("commands") / "home")
    yield home
    home.close()


@pytest.fixture
def user(house: Home) -> Home:
    """The default config has a server that can do everything, and logs its calls and cancellations."""
    logs = {"CALL_LOG": str(house.work / "calls"), "CANCEL_LOG": str(house.work / "cancelled")}
    for log in logs.values():
        Path(log).unlink(missing_ok=True)
    house.config.unlink(missing_ok=True)
    house.write_config({"everything": entry(everything_server(), env=logs)})
    return house


@pytest.fixture
def inside(user: Home) -> Iterator[Home]:
    """This process is a command of the user, and has shown no warning yet."""
    notices._shown.clear()
    with living_in(user):
        yield user


def calls(home: Home, name: str = "calls") -> list[str]:
    """What the server noted: a tool's name for each call that reached it."""
    log = home.work / name
    return [line.split()[1] for line in log.read_text().splitlines()] if log.exists() else []


def daemon_of(home: Home) -> psutil.Process:
    (daemon,) = [one for one in home.processes() if "llm_tools_mcp.daemon" in one.cmdline()]
    return daemon


def assert_clear_error(result: Result, *words: str) -> None:
    """One message that a person can use: no traceback, no secret, not told twice."""
    assert result.code == 1, str(result)
    assert result.stderr.startswith("Error: "), str(result)
    assert result.stderr.count("Error: ") == 1, str(result)
    assert "Traceback" not in result.stdout + result.stderr
    assert SECRET not in result.stdout + result.stderr
    for word in words:
        assert word in result.stderr, str(result)


# --- prompts and their logs -------------------------------------------------------------------------


def test_prompt_calls_tools_and_logs_them(user: Home) -> None:
    """A prompt's tool calls reach the server; llm logs results, errors as errors, and the toolbox."""
    result = prompt(
        user, "MCP", ("echo", {"text": "hello"}), ("fail", {"message": "disk full"}), ("image", {})
    )
    assert outputs(result) == ["hello", "Error: disk full", "one red pixel"]
    assert '"type": "image/png"' in result.stdout
    assert result.stderr == ""
    shown = user.run_llm("logs", "-n", "1").stdout
    assert "`MCP(" in shown
    assert "**Error**: ToolFailed: disk full" in shown
    assert shown.count("**Error**") == 1


def test_many_prompts_share_one_process_per_server(inside: Home) -> None:
    """Prompts from one folder find the servers connected: the same processes answer each of them."""
    inside.write_config({name: entry(faulty_server("fine"), env={"N": name}) for name in ("a", "b")})
    wanted = ("a_pid", {}), ("b_pid", {})
    answers = [outputs(prompt(inside, "MCP", *wanted)), outputs(ask("MCP", *wanted))]
    assert answers[0] == answers[1]
    assert len(set(answers[0])) == 2
    assert len([one for one in inside.processes() if one.cmdline()[-1] == "fine"]) == 2


def test_servers_see_the_callers_world(user: Home) -> None:
    """Folder, environment and umask of the shell that prompts reach the server, and nothing else of it."""
    user.write_config({"everything": entry(everything_server(), env={"FROM_CONFIG": "${MINE:-none}"})})
    folder = user.folder / "elsewhere"
    folder.mkdir()
    asked = [(("env"), {"name": name}) for name in ("HOME", "USER", "FROM_CONFIG", "UNNAMED")]
    command = ["sh", "-c", 'umask 027; exec "$@"', "sh", str(BIN / "llm"), "-m", "echo", "-T", "MCP"]
    result = user.run(
        *command,
        calling(("cwd", {}), ("umask", {}), *asked),
        cwd=folder,
        env={"MINE": "of the caller", "UNNAMED": "stays here", "USER": "somebody"},
    )
    expected = [str(folder), "027", str(user.folder), "somebody", "of the caller", "(unset)"]
    assert outputs(result) == expected


def test_path_of_the_caller_finds_the_command(inside: Home) -> None:
    """A command is looked up on the caller's PATH, and found as soon as it is installed."""
    inside.write_config({"late": {"command": "my-server"}})
    tools = inside.work / "bin"
    tools.mkdir()
    path = {"PATH": f"{tools}{os.pathsep}{inside.env['PATH']}"}
    missing = invoke("tools", "MCP", env=path)
    assert "my-server" in missing.stderr
    program = tools / "my-server"
    program.write_text(f"#!/bin/sh\nexec {' '.join(naming_server('found'))}\n")
    program.chmod(0o755)
    wait_until(lambda: "found()" in invoke("tools", "MCP", env=path).stdout)


def test_two_folders_have_servers_of_their_own(inside: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server is started for each folder, unless the config pins its `cwd`."""
    server = faulty_server("fine")
    inside.write_config({"free": entry(server), "pinned": entry(server, cwd=str(inside.folder))})
    other = inside.folder / "other"
    other.mkdir()
    pids = []
    for cwd in (inside.work, other):
        monkeypatch.chdir(cwd)
        pids.append(outputs(ask("MCP", ("free_pid", {}), ("pinned_pid", {}))))
    (free, shared), (free_elsewhere, shared_elsewhere) = pids
    assert free != free_elsewhere
    assert shared == shared_elsewhere


def test_two_tokens_share_nothing(inside: Home) -> None:
    """Callers with different values of ${TOKEN} get servers of their own, each with its own token."""
    body = """
    def run(self, tool, arguments):
        return os.environ["TOKEN"] if tool == "echo" else super().run(tool, arguments)
    """
    inside.write_config({"guarded": variant(body) | {"env": {"TOKEN": "${TOKEN}"}}})
    seen = [
        outputs(ask("MCP", ("pid", {}), ("echo", {"text": ""}), env={"TOKEN": token}))
        for token in ("one", "two")
    ]
    assert [token for _, token in seen] == ["one", "two"]
    assert seen[0][0] != seen[1][0]


def test_headers_reach_http_servers(inside: Home, serve_http: Callable[..., Any]) -> None:
    """`headers` opens a server that wants a token; without them a login is wanted, and no token is told."""
    url = serve_http("http", "--token", SECRET).url
    inside.write_config({"guarded": {"url": url, "headers": {"Authorization": "Bearer ${TOKEN}"}}})
    assert output(ask("MCP", ("echo", {"text": "in"}), env={"TOKEN": SECRET})) == "in"
    inside.write_config({"guarded": {"url": url}})
    refused = invoke("tools", "MCP")
    assert "'guarded' needs a login: llm mcp login guarded" in refused.stderr
    refused = invoke("tools", f'MCP("{url}?key={SECRET}")')
    assert f"needs a login: llm mcp login {url}\n" in refused.stderr
    assert SECRET not in refused.stderr


# --- llm tools, chat, -c, templates -----------------------------------------------------------------


def test_llm_tools_describes_the_toolbox(home: Home) -> None:
    """`llm tools` explains the toolbox without a config, and starts nothing."""
    shown = home.run_llm("tools").stdout
    assert 'MCP("/path/mcp.json")' in shown
    assert "MCP(config_path: str | None = None, servers: str | list[str] | None = None" in shown
    assert "unknown" not in shown
    assert home.processes() == []


def test_llm_tools_lists_a_toolbox(user: Home) -> None:
    """`llm tools MCP` lists names, arguments and descriptions as a person reads them."""
    shown = user.run_llm("tools", "MCP").stdout
    assert "  echo(text)\n\n    Returns the text.\n    [from MCP server: everything]\n" in shown
    assert "**arguments" not in shown
    with living_in(user):
        listed = json.loads(invoke("tools", "--json", 'MCP(tools="echo")').stdout)
    tool, reader = listed["toolboxes"][0]["tools"]
    assert (tool["name"], reader["name"]) == ("echo", "read_result")
    assert tool["arguments"]["required"] == ["text"]


class Chat:
    """`llm chat` on pipes: a turn is written, and its answer awaited."""

    def __init__(self, home: Home, *args: str) -> None:
        self._log = home.work / "chat"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(BIN / "llm"), "chat", "-m", "echo", *args],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                env=home.env | {"PYTHONUNBUFFERED": "1"},
                cwd=home.work,
            )

    def shown(self) -> str:
        return self._log.read_text()

    def turn(self, line: str, awaited: str) -> str:
        """Send a line; returns all that was shown since, once `awaited` is in it."""
        begin = len(self.shown())
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        wait_until(lambda: awaited in self.shown()[begin:], what=f"{awaited} in {self.shown()[begin:]}")
        return self.shown()[begin:]

    def leave(self) -> int:
        assert self.process.stdin
        self.process.stdin.write("quit\n")
        self.process.stdin.close()
        return self.process.wait(20)


@contextmanager
def chatting(home: Home, *args: str) -> Iterator[Chat]:
    chat = Chat(home, *args)
    try:
        yield chat
    finally:
        end(chat.process)
        if chat.process.stdin:
            chat.process.stdin.close()


def test_chat_survives_the_daemons_death(user: Home) -> None:
    """A daemon that is killed between two turns of `llm chat` is started anew: the user notices nothing."""
    user.write_config({"fine": entry(faulty_server("fine"))})
    with chatting(user, "-T", "MCP") as chat:
        chat.turn(calling(("echo", {"text": "first"})), '"output": "first"')
        daemon = daemon_of(user)
        daemon.kill()
        wait_until(lambda: daemon not in user.processes())
        answer = chat.turn(calling(("echo", {"text": "second"})), '"output": "')
        assert '"output": "second"' in answer
        assert daemon_of(user).pid != daemon.pid
        assert chat.leave() == 0
        assert "Warning" not in chat.shown()


def test_chat_warns_once(user: Home) -> None:
    """A server that stays down is complained of at the first turn only."""
    user.write_config({"broken": entry(faulty_server("exit")), "fine": entry(naming_server("fine"))})
    with chatting(user, "-T", "MCP") as chat:
        for number in range(3):
            chat.turn(calling(("fine", {})), '"output": "fine"')
            assert chat.shown().count("Failed to connect") == 1, f"turn {number}"
        assert chat.leave() == 0


@pytest.mark.parametrize("form", ["default", "arguments", "url"])
def test_continued_conversation_finds_its_tools(
    inside: Home, serve_http: Callable[..., Any], form: str
) -> None:
    """`llm -c` offers the tools of the toolbox again, made with the arguments that were logged."""
    toolbox, name = "MCP", "echo"
    if form == "arguments":
        path = inside.write_config({"fine": entry(faulty_server("fine"))}, inside.work / "own.json")
        inside.config.unlink()
        toolbox, name = f'MCP(config_path="{path}", servers="fine", prefix="my_")', "my_echo"
    elif form == "url":
        inside.config.unlink()
        toolbox = f'MCP("{serve_http().url}")'
    assert output(invoke("-m", "echo", "-T", toolbox, calling((name, {"text": "one"})))) == "one"
    result = inside.run_llm("-m", "echo", "-c", calling((name, {"text": "two"})))
    assert output(result) == "two"
    assert result.stderr == ""


def test_template_carries_the_toolbox(inside: Home) -> None:
    """`llm -T 'MCP(…)' --save t` and then `-t t` gives the tools of that toolbox."""
    assert invoke("-T", 'MCP(tools="echo", prefix="t_")', "--save", "t").code == 0
    assert output(invoke("-m", "echo", "-n", "-t", "t", calling(("t_echo", {"text": "x"})))) == "x"


# --- configs that cannot be used --------------------------------------------------------------------


def broken_server(**keys: Any) -> str:
    return json.dumps({"mcpServers": {"git": keys}})


CONFIGS = {
    "not JSON": ('{"mcpServers": {\n  "git": {"env": {"TOKEN": "' + SECRET + '"},,}}}', ["line 2"]),
    "empty": ("", ["mcp.json"]),
    "a list": ("[]", ["Input should be an object"]),
    "no servers": ("{}", ["mcpServers", "Field required"]),
    "servers are a list": ('{"mcpServers": []}', ["mcpServers", "Input should be an object"]),
}

# What is wrong with one entry costs that entry alone.
ENTRIES = {
    "neither": (broken_server(env={"TOKEN": SECRET}), ["git", "Could not deduce MCP server type"]),
    "both": (
        broken_server(url=f"https://u:{SECRET}@host/mcp?k={SECRET}", command="cat"),
        ["git", "Only 'url' or 'command' is allowed"],
    ),
    "unknown type": (broken_server(type="carrier-pigeon", command="x"), ["git", "Unknown server 'type'"]),
    "wrong args": (broken_server(command="x", args=[1, SECRET]), ["git", "args"]),
    "wrong env": (broken_server(command="x", env={"A": [SECRET]}), ["git", "env.A"]),
    "wrong timeout": (broken_server(command="x", timeout="soon"), ["git", "timeout"]),
    "server is text": (json.dumps({"mcpServers": {"git": SECRET}}), ["git", "Input should be an object"]),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_unusable_config_is_one_clear_message(inside: Home, kind: str) -> None:
    """Whatever is wrong with the file: one message with file, server and key, no traceback, no secret."""
    text, words = CONFIGS[kind]
    inside.config.write_text(text)
    assert_clear_error(invoke("tools", "MCP"), str(inside.config), *words)


@pytest.mark.parametrize("kind", ENTRIES)
def test_unusable_entry_costs_itself_only(inside: Home, kind: str) -> None:
    """It is warned of as a server that cannot be reached, with file and key; no traceback, no secret."""
    text, words = ENTRIES[kind]
    inside.config.write_text(text)
    result = invoke("tools", "MCP")
    assert result.code == 0
    assert result.stderr.startswith("Warning: Failed to connect to the 'git' MCP server: ")
    assert [word for word in (str(inside.config), *words) if word not in result.stderr] == []
    assert [word for word in (SECRET, "Traceback") if word in result.stderr + result.stdout] == []


def test_missing_config_says_how_to_make_one(home: Home) -> None:
    """Without a config the message names the file, and a way to begin; no daemon is started for that."""
    with living_in(home):
        for command in (["-m", "echo", "-n", "-T", "MCP", "hi"], ["tools", "MCP"]):
            assert_clear_error(invoke(*command), str(home.config), '{"mcpServers": ', "llm mcp demo")
    assert home.processes() == []


def test_unusable_config_stops_a_prompt_with_the_same_message(user: Home) -> None:
    """`llm -T MCP` says what `llm tools MCP` says."""
    text, words = CONFIGS["no servers"]
    user.config.write_text(text)
    assert_clear_error(prompt(user, "MCP", ("echo", {"text": "x"}), check=False), str(user.config), *words)


def test_config_that_everyone_can_write_is_refused(inside: Home) -> None:
    """The default config runs commands: others must not write it. The message says what mends it."""
    inside.config.chmod(0o666)
    assert_clear_error(invoke("tools", "MCP"), f"chmod o-w {inside.config}")
    warned = invoke("tools", f'MCP("{_copy(inside.config, inside.work / "mine.json")}")')
    assert warned.stderr.startswith("Warning: ")
    assert "echo(text)" in warned.stdout


def _copy(source: Path, to: Path) -> Path:
    to.write_bytes(source.read_bytes())
    to.chmod(0o666)
    return to


@pytest.mark.parametrize(
    ("toolbox", "words"),
    [
        ('MCP("/no/such.json")', ["/no/such.json"]),
        ('MCP("/etc")', ["/etc", "Is a directory"]),
        ('MCP(servers="gti")', ["'gti'", "everything"]),
        ('MCP(mode="old")', ["unknown mode 'old'"]),
        ("MCP(mode=[1])", ["MCP(mode=…) takes text"]),
        ("MCP(prefix=5)", ["MCP(prefix=…) takes text"]),
        ('MCP({"config_path": 5})', ["MCP(config_path=…) takes text"]),
        ('MCP(servers={"a": 1})', ["MCP(servers=…) takes text, with commas"]),
        ("MCP(tools=[1])", ["MCP(tools=…) takes text, with commas"]),
        (
            'MCP(server="x")',
            ["no parameter 'server'; did you mean 'servers'? It has: config_path, servers, "],
        ),
    ],
)
def test_wrong_arguments_are_one_clear_message(inside: Home, toolbox: str, words: list[str]) -> None:
    """Arguments of the toolbox that cannot work are explained."""
    assert_clear_error(invoke("tools", toolbox), *words)


# --- Ctrl-C, a lost daemon --------------------------------------------------------------------------


@contextmanager
def running(home: Home, *args: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [str(BIN / "llm"), *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=home.env,
        cwd=home.work,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("model", ["sync", "async"])
def test_ctrl_c_cancels_the_call_at_once(user: Home, model: str) -> None:
    """SIGINT ends the prompt, without a traceback and long before the call, and the server hears of it."""
    options = ["--async"] if model == "async" else []
    with running(user, "-m", "echo", *options, "-T", "MCP", calling(("sleep", {"seconds": 1000}))) as llm:
        wait_until(lambda: calls(user) == ["sleep"])
        llm.send_signal(signal.SIGINT)
        _, errors = llm.communicate(timeout=SOON)
    assert llm.returncode != 0
    assert "Traceback" not in errors, errors
    wait_until(lambda: calls(user, "cancelled") == ["sleep"])


def test_lost_daemon_leaves_the_outcome_unknown(user: Home) -> None:
    """When the daemon dies in the middle of a call the model hears so; the call is not repeated."""
    user.write_config({"slow": entry(faulty_server("counting"), env={"CALL_LOG": str(user.work / "calls")})})
    never = ("count", {"then": "never-answer"})
    with running(user, "-m", "echo", "-T", "MCP", calling(never)) as llm:
        wait_until(lambda: calls(user) == ["never-answer"])
        daemon_of(user).kill()
        shown, errors = llm.communicate(timeout=SOON)
    assert llm.returncode == 0, errors
    told = output(shown)  # whether the daemon had said that it has the call or not
    assert "daemon was lost" in told
    assert "it may or may not have run, and was not repeated" in told
    assert errors == ""
    assert calls(user) == ["never-answer"]


# --- llm must never break ---------------------------------------------------------------------------


def test_missing_dependency_breaks_only_mcp(user: Home, tmp_path: Path) -> None:
    """`llm` itself works where a dependency of ours is broken; `MCP` says what is missing, in one line."""
    for module in ("grpc", "google/protobuf"):
        package = tmp_path / module
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"raise ImportError('no {module} here')\n")
        env = {"PYTHONPATH": str(tmp_path)}
        result = user.run_llm("tools", "MCP", env=env, check=False)
        assert_clear_error(result, f"no {module} here", "llm install --upgrade llm-tools-mcp")
    shown = prompt(user, "llm_version", ("llm_version", {}), env=env)
    assert output(shown)[0].isdigit()
