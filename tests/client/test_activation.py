"""Getting a daemon: races, leftovers of dead ones, hung ones, sockets of others; and its end."""

from __future__ import annotations

import os
import pty
import signal
import socket as socket_module
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from llm_tools_mcp import MCP, paths, v1
from llm_tools_mcp.client import activation, socket_probe, spawning
from llm_tools_mcp.client import channel as client_module
from llm_tools_mcp.client.activation import ensure_daemon
from llm_tools_mcp.client.caller import make_call, make_caller
from llm_tools_mcp.client.channel import DaemonClient
from llm_tools_mcp.config import read_config
from llm_tools_mcp.errors import DaemonIncompatible, DaemonUnresponsive, OutcomeUnknown, SocketRefused
from tests.daemon.live import blocking
from tests.home import BIN, Home, living_in
from tests.programs import GONE, Result, end
from tests.prompting import result_of, tools_of
from tests.servers import entry, faulty_server, naming_server
from tests.waiting import wait_until

# What the plugin does before it talks to the daemon.
ENSURE = [
    sys.executable,
    "-c",
    """
import sys
from llm_tools_mcp.client.activation import ensure_daemon
from llm_tools_mcp.errors import McpError
try:
    ensure_daemon()
except McpError as error:
    sys.exit(f"Error: {error}")
""",
]
FOREGROUND = [sys.executable, "-m", "llm_tools_mcp.daemon"]
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user for a moment")


def ensure(home: Home, **options: Any) -> Result:
    return home.run(*ENSURE, **options)


def daemons(home: Home) -> list[psutil.Process]:
    found = []
    for process in home.processes():
        with suppress(*GONE):
            if "llm_tools_mcp.daemon" in process.cmdline():
                found.append(process)
    return found


def daemon_of(home: Home) -> psutil.Process:
    (daemon,) = daemons(home)
    return daemon


def kill(home: Home, process: psutil.Process) -> None:
    process.kill()
    wait_until(lambda: process not in home.processes())


@contextmanager
def in_foreground(home: Home, *args: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m llm_tools_mcp.daemon`, once it listens."""
    process = subprocess.Popen(
        [*FOREGROUND, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=home.env,
        cwd=home.work,
    )
    try:
        wait_until(lambda: is_healthy(home.socket) or process.poll() is not None)
        yield process
    finally:
        end(process, 30)
        if process.stderr:
            process.stderr.close()


def is_healthy(socket: Path) -> bool:
    if not socket.exists():
        return False
    with DaemonClient(socket) as client:
        try:
            return client.health(1).pid > 0
        except Exception:  # noqa: BLE001 - whatever is wrong with it
            return False


# --- one daemon -------------------------------------------------------------------------------------


def test_racing_clients_start_one_daemon(home: Home) -> None:
    """Twenty clients at once find no daemon: one is started, and all of them can use it."""
    racers = [
        subprocess.Popen(
            ENSURE, env=home.env, cwd=home.work, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(20)
    ]
    answers = [(racer.communicate(timeout=60)[1], racer.returncode) for racer in racers]
    assert answers == [(b"", 0)] * 20
    assert len(daemons(home)) == 1
    assert is_healthy(home.socket)


def test_daemon_of_a_client_that_was_killed_is_used(home: Home) -> None:
    """A client that is killed while it starts a daemon leaves one that the next client's must not beat."""
    with in_foreground(home), living_in(home):
        spawning._spawn_and_wait(home.socket)
        assert len(daemons(home)) == 1


def test_socket_may_have_any_name(home: Home) -> None:
    """What means something in a URI, and bytes that are no text, are taken as they are."""
    home.write_config({"names": entry(naming_server("fine"))})
    socket = home.runtime / "50% of? a #1 %41 caf\udce9.sock"
    env = {"LLM_MCP_SOCKET": str(socket)}
    assert "fine" in home.run_here("tools", env=env).stdout
    assert socket.is_socket()
    assert home.run_here("health", env=env).code == 0


def test_long_temporary_folder_is_no_obstacle(home: Home) -> None:
    """A TMPDIR too long for a unix socket, as builds set it, keeps no daemon from starting."""
    folder = home.work / ("x" * 120)
    folder.mkdir()
    assert ensure(home, env={"TMPDIR": str(folder)}).code == 0


@pytest.mark.parametrize("variable", ["LLM_MCP_SOCKET", "LLM_TOOLS_MCP_CONFIG_DIR"])
def test_unknown_home_folder_is_one_clear_message(home: Home, variable: str) -> None:
    """A ~ that stands for nothing is named with the variable to set."""
    home.write_config({})
    result = home.run_here("tools", env={variable: "~no-such-user/x"}, check=False)
    assert result.code == 1
    assert result.stderr.startswith("Error: ")
    assert f"its ~ stands for no known home folder; set HOME or {variable}" in result.stderr


def test_daemon_outlives_the_terminal(home: Home) -> None:
    """The terminal of the prompt that started it hangs up: the daemon has a session of its own and stays."""
    master, slave = pty.openpty()
    # A session leader that opens a terminal gets it as its own: SIGHUP will come from it.
    script = f'exec <{os.ttyname(slave)} >&0 2>&0; "$@"; echo ready; read line'
    shell = subprocess.Popen(
        ["sh", "-c", script, "sh", *ENSURE], env=home.env, cwd=home.work, start_new_session=True
    )
    os.close(slave)
    try:
        wait_until(lambda: is_healthy(home.socket))
        daemon = daemon_of(home)
        assert os.getsid(daemon.pid) == daemon.pid
        os.set_blocking(master, False)
    finally:
        os.close(master)  # hangs up
        assert shell.wait(20) != 0
    assert daemon_of(home) == daemon
    assert is_healthy(home.socket)


def test_foreground_daemon_refuses_a_taken_socket(home: Home) -> None:
    """`python -m llm_tools_mcp.daemon` says who runs already, and leaves that one alone."""
    ensure(home)
    daemon = daemon_of(home)
    refused = home.run(*FOREGROUND, check=False)
    assert refused.code == 1
    assert f"already running, pid {daemon.pid}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert daemon_of(home) == daemon
    assert is_healthy(home.socket)


def test_requests_of_a_newer_client_are_understood(home: Home) -> None:
    """Fields and values that this daemon does not know yet are ignored, and the rest is done."""
    home.write_config({"names": entry(naming_server("fine"))})
    with living_in(home), closing(grpc.insecure_channel(f"unix:{ensure_daemon()}")) as channel:
        caller = make_caller(read_config())
        request = v1.GetAllToolsRequest(caller=caller, protocol=4000)  # type: ignore[arg-type]
        unknown = b"\xc2\x3e\x06future"  # field 1000
        listing = channel.unary_stream("/llm_tools_mcp.v1.McpDaemon/GetAllTools")
        answers = [
            v1.ServerTools.FromString(answer)
            for answer in listing(request.SerializeToString() + unknown, timeout=30)
        ]
    assert [tool.name for tool in answers[-1].tools] == ["fine"]


def test_daemon_of_another_major_version_is_refused() -> None:
    """The message tells both versions, and what helps; nothing is sent to such a daemon."""
    other = v1.HealthResponse(protocol_major=v1.PROTOCOL_MAJOR + 1, version="9.0", pid=77)
    with pytest.raises(DaemonIncompatible, match=r"9\.0, pid 77.* llm mcp restart"):
        activation.await_answer(lambda _: other)


# --- leftovers --------------------------------------------------------------------------------------


def test_killed_daemon_is_replaced_without_a_word(home: Home) -> None:
    """SIGKILL leaves the socket and the pid file behind: the next command just works."""
    home.write_config({"names": entry(naming_server("fine"))})
    ensure(home)
    first = daemon_of(home)
    kill(home, first)
    assert home.socket.exists()
    result = home.run_here("call", "names", "fine")
    assert (result.stdout, result.stderr) == ("fine\n", "")
    assert daemon_of(home).pid != first.pid


@pytest.mark.parametrize("content", ["reused", "garbage"])
def test_stale_pid_file_means_nothing(home: Home, content: str) -> None:
    """A pid file of a dead daemon is ignored; whoever has the pid now is neither taken for one nor ended."""
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        words = {"reused": str(bystander.pid), "garbage": "\0??"}
        (home.config_folder / "daemon.pid").write_text(words[content])
        home.run_here("stop", check=False)
        assert bystander.poll() is None
        ensure(home)
        assert (home.config_folder / "daemon.pid").read_text().strip() == str(daemon_of(home).pid)
        home.run_here("stop")
        assert daemons(home) == []
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_socket_that_was_swept_away(home: Home) -> None:
    """Whatever cleans the folder leaves a daemon that nobody can reach: the next command has another."""
    home.write_config({"names": entry(naming_server("fine"))})
    ensure(home)
    first = daemon_of(home)
    home.socket.unlink()
    assert home.run_here("call", "names", "fine").stdout == "fine\n"
    wait_until(lambda: daemon_of(home) != first)


@pytest.mark.parametrize("closed", ["0<&- 2>&-", "1>&-"])
def test_closed_streams_are_no_obstacle(home: Home, closed: str) -> None:
    """Launchers and cron close them: commands and prompts work, and start a daemon."""
    home.write_config({"names": entry(naming_server("fine"))})
    for words in (["llm-mcp", "call", "names", "fine"], ["llm", "-m", "echo", "-T", "MCP", "hi"]):
        done = home.run("sh", "-c", f'exec "$@" {closed}', "sh", BIN / words[0], *words[1:])
        assert "Traceback" not in done.stderr
        assert done.stdout == "" if "1>" in closed else "fine" in done.stdout or "hi" in done.stdout


# --- it cannot start --------------------------------------------------------------------------------


def test_daemon_that_cannot_start_shows_its_log(home: Home) -> None:
    """The error has the last lines that the daemon wrote and where its log is, and no traceback of ours."""
    home.write_config({"names": entry(naming_server("fine"))})
    shadow = home.work / "sdnotify"  # only the daemon needs it
    shadow.mkdir()
    (shadow / "__init__.py").write_text("raise ImportError('sdnotify is broken here')\n")
    result = home.run_cli("tools", env={"PYTHONPATH": str(home.work)}, check=False)
    assert result.code == 1
    assert result.stderr.startswith("Error: the llm-mcp daemon did not start: it exited with code 1\n")
    assert "sdnotify is broken here" in result.stderr
    assert str(home.config_folder / "logs" / "daemon.log") in result.stderr
    assert "spawning.py" not in result.stderr


def test_log_folder_that_cannot_be_made_costs_nothing(home: Home) -> None:
    """Where the config folder takes no log (it is read-only, say), the log is beside the socket."""
    (home.config_folder / "logs").write_text("in the way")
    ensure(home)
    with DaemonClient(home.socket) as client:
        assert Path(client.health().log) == home.socket.with_name("daemon.log")
    assert "serves on" in home.socket.with_name("daemon.log").read_text()


@needs_root
def test_folder_that_may_not_be_written_is_one_clear_message(home: Home) -> None:
    """The same where the permissions forbid it."""
    home.runtime.chmod(0o755)
    as_nobody = [
        sys.executable,
        "-c",
        f"import os, llm_tools_mcp.client.activation, llm_tools_mcp.service; os.setuid({NOBODY}){ENSURE[2]}",
    ]
    result = home.run(*as_nobody, env={"LLM_MCP_SOCKET": str(home.runtime / "sub" / "s")}, check=False)
    assert result.code == 1
    assert result.stderr.startswith("Error: the llm-mcp daemon did not start: "), result
    assert f"Permission denied: '{home.runtime / 'sub'}'" in result.stderr


def test_socket_path_that_is_too_long_is_explained(home: Home) -> None:
    """The limit of the platform, the length, and the variable that helps are told."""
    long = f"/tmp/{'x' * 110}"
    home.write_config({"names": entry(naming_server("fine"))})
    result = home.run_here("tools", env={"LLM_MCP_SOCKET": long}, check=False)
    assert result.code == 1
    assert f"its path is {len(long)} bytes long, and this system allows" in result.stderr
    assert "set LLM_MCP_SOCKET to a shorter one" in result.stderr


def test_socket_path_too_long_for_the_one_beside_it_is_explained(home: Home) -> None:
    """The one that a start is noticed by has a longer path: where only that does not fit, words say so."""
    long = home.runtime / ("x" * (paths.SOCKET_PATH_LIMIT - len(str(home.runtime)) - 2))
    result = ensure(home, env={"LLM_MCP_SOCKET": str(long)}, check=False)
    assert result.code == 1
    assert "set LLM_MCP_SOCKET to a shorter one" in result.stderr
    assert "File " not in result.stderr


def test_something_else_at_the_socket_is_left_alone(home: Home) -> None:
    """A file where the socket should be is not removed; the message names it."""
    home.socket.write_text("precious")
    result = ensure(home, check=False)
    assert result.code == 1
    assert str(home.socket) in result.stderr
    assert home.socket.read_text() == "precious"


# --- others -----------------------------------------------------------------------------------------


@needs_root
def test_socket_of_another_user_is_refused(home: Home) -> None:
    """Nothing is sent to a socket that belongs to somebody else: the request holds the environment."""
    home.write_config({"names": entry(naming_server("fine"))})
    ensure(home)
    os.chown(home.socket, NOBODY, -1)
    try:
        result = home.run_here("tools", check=False)
    finally:
        os.chown(home.socket, os.geteuid(), -1)
    assert result.code == 1
    assert f"refusing the socket {home.socket}: it belongs to another user (uid {NOBODY})" in result.stderr


CONNECT = f"""
import os, socket, sys
connection = socket.socket(socket.AF_UNIX)
os.setuid({NOBODY})
connection.connect(sys.argv[1])
connection.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n")
print("answered:", connection.recv(100))
"""


@needs_root
def test_second_user_cannot_connect(home: Home) -> None:
    """Neither through the folder and the socket's mode, nor, where those are open, past the acceptor."""
    ensure(home)
    assert home.socket.stat().st_mode & 0o777 == 0o600
    command = [sys.executable, "-c", CONNECT, str(home.socket)]
    assert "PermissionError" in home.run(*command, check=False).stderr
    home.runtime.chmod(0o755)
    home.socket.chmod(0o666)
    turned_away = home.run(*command, check=False)
    assert turned_away.stdout == "answered: b''\n" or "Error" in turned_away.stderr, turned_away
    assert is_healthy(home.socket)


# --- hung -------------------------------------------------------------------------------------------


@contextmanager
def full_queue(path: Path) -> Iterator[socket_module.socket]:
    """A socket that listens, whose queue of clients is full."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(closing(socket_module.socket(socket_module.AF_UNIX)))
        listener.bind(str(path))
        listener.listen(1)
        with suppress(BlockingIOError):
            while True:
                client = sockets.enter_context(closing(socket_module.socket(socket_module.AF_UNIX)))
                client.setblocking(False)
                client.connect(str(path))
        yield listener


def test_full_queue_is_waited_for(tmp_path: Path) -> None:
    """Clients beyond the socket's queue wait for the daemon to take the others."""
    with full_queue(tmp_path / "s") as listener:

        def take_one() -> None:
            listener.accept()[0].close()

        soon = threading.Timer(0.1, take_one)
        soon.start()
        assert socket_probe.accepts(tmp_path / "s")
        soon.join()


def test_queue_that_stays_full_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They do not wait for ever."""
    monkeypatch.setattr(socket_probe, "_CONNECT_SECONDS", 0.3)
    with full_queue(tmp_path / "s"), pytest.raises(DaemonUnresponsive):
        socket_probe.accepts(tmp_path / "s")


def test_daemon_that_hangs_during_a_call_is_noticed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pings are not answered any more: the call ends, and may have run."""
    options = [
        (name, 500 if value == 10_000 else value) for name, value in client_module._SYNCHRONOUS_OPTIONS
    ]
    monkeypatch.setattr(client_module, "_SYNCHRONOUS_OPTIONS", options)  # 10 + 10 s in real life
    log = home.folder / "calls"
    home.write_config({"counting": entry(faulty_server("counting"), env={"CALL_LOG": str(log)})})
    with living_in(home):
        calling = DaemonClient(ensure_daemon())
        request = make_call(make_caller(read_config()), "counting", "count", {"then": "never-answer"})
        daemon = daemon_of(home)
        hang = threading.Thread(target=lambda: wait_until(log.exists) and daemon.suspend())
        hang.start()
        began = time.monotonic()
        try:
            with closing(calling), pytest.raises(OutcomeUnknown, match="daemon was lost"):
                calling.call(request, lambda _: None)
            assert time.monotonic() - began < 30  # grpc's own patience is a minute
        finally:
            hang.join()
            daemon.resume()


def test_hung_daemon_is_reported_in_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that accepts and does not answer costs seconds, not minutes; the message says what helps."""
    monkeypatch.setattr(client_module, "_ACCEPTED_SECONDS", 1.0)  # 10 in real life, for a known daemon
    monkeypatch.setattr(activation, "_PATIENCE_SECONDS", 1.0)  # 5, for one that was not met yet
    home.write_config({"names": entry(naming_server("fine"))})
    with living_in(home):
        found = MCP()
        assert list(tools_of(found)) == ["fine"]
        daemon = daemon_of(home)
        daemon.suspend()
        try:
            for ask in (found.tools, MCP().tools):
                with pytest.raises(
                    DaemonUnresponsive, match=r"no llm-mcp daemon answered within 1 s; .*restart"
                ):
                    ask()
        finally:
            daemon.resume()
        assert result_of(found, "fine").output == "fine"


# --- where it listens -------------------------------------------------------------------------------


def test_socket_variable_decides(home: Home) -> None:
    """LLM_MCP_SOCKET is where the daemon is looked for and started."""
    other = home.runtime / "other"
    ensure(home, env={"LLM_MCP_SOCKET": str(other)})
    assert is_healthy(other)
    assert not home.socket.exists()


def test_runtime_folder_of_the_user_is_used(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable the socket is in XDG_RUNTIME_DIR."""
    with living_in(home):
        monkeypatch.delenv("LLM_MCP_SOCKET")
        assert paths.socket_path() == home.runtime / "llm-mcp.sock"


@pytest.mark.parametrize(
    "given", ["missing", "relative", pytest.param("anothers", marks=needs_root), "unset"]
)
def test_runtime_folder_that_is_not_ours_is_ignored(
    home: Home, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """`su` and cron leave an XDG_RUNTIME_DIR of somebody else, or none: the path comes out the same."""
    anothers = home.work / "anothers"
    anothers.mkdir()
    if given == "anothers":
        os.chown(anothers, NOBODY, -1)
    values = {"missing": "/no/such/folder", "relative": ".", "anothers": str(anothers), "unset": ""}
    with living_in(home):
        monkeypatch.delenv("LLM_MCP_SOCKET")
        monkeypatch.setenv("XDG_RUNTIME_DIR", values[given])
        monkeypatch.setenv("HOME", str(home.runtime))  # short enough for a socket
        standard = Path(f"/run/user/{os.geteuid()}")
        folder = standard if standard.is_dir() else home.runtime / ".llm-tools-mcp" / "run"
        assert paths.socket_path() == folder / "llm-mcp.sock"


def test_long_paths_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    """The error comes from the path alone."""
    with pytest.raises(SocketRefused, match="bytes long"):
        paths.checked_socket_path(tmp_path / ("x" * 120))
    assert list(tmp_path.iterdir()) == []


def test_proxies_are_not_for_the_socket(home: Home) -> None:
    """Proxy variables of the shell do not come between the client and the daemon."""
    home.write_config({"names": entry(naming_server("fine"))})
    names = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
    proxies = {name: "http://127.0.0.1:9" for lower in names for name in (lower, lower.upper())}
    assert home.run_cli("call", "names", "fine", env=proxies).stdout == "fine\n"


def test_everything_made_is_private(home: Home) -> None:
    """Folders that are made here are 0700, files 0600, whatever the umask."""
    home.write_config({"names": entry(naming_server("fine"))})
    own = home.folder / "own"
    env = {"LLM_TOOLS_MCP_CONFIG_DIR": str(own), "LLM_MCP_SOCKET": str(home.runtime / "sub" / "s")}
    home.run("sh", "-c", 'umask 0; exec "$@"', "sh", *ENSURE, env=env)
    made = [own, *own.rglob("*"), home.runtime / "sub", *(home.runtime / "sub").rglob("*")]
    open_to_others = [f"{path} {path.stat().st_mode:o}" for path in made if path.stat().st_mode & 0o077]
    assert open_to_others == []


# --- its end ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_lets_calls_finish(home: Home, number: signal.Signals) -> None:
    """SIGTERM and SIGINT: the call in flight gets its result, the daemon exits 0 and leaves nothing."""
    began, until = home.work / "began", home.work / "until"
    home.write_config({"slow": blocking()})
    answers: list[str] = []

    def call() -> None:
        answers.append(result_of(MCP(), "echo", text="done", began=str(began), until=str(until)).output)

    with living_in(home), in_foreground(home) as daemon:
        caller = threading.Thread(target=call)
        caller.start()
        wait_until(began.exists)
        daemon.send_signal(number)
        wait_until(lambda: not home.socket.exists())
        until.touch()
        caller.join(30)
        assert daemon.wait(30) == 0
    assert answers == ["done"]
    assert home.processes() == []
    assert not home.socket.exists()


def test_idle_daemon_exits_and_the_next_command_works(home: Home) -> None:
    """An unused daemon ends by itself with its servers; the next command starts another."""
    home.write_config({"names": entry(naming_server("fine"))})
    with living_in(home), in_foreground(home, "--idle-timeout", "0.3") as daemon:
        assert daemon.wait(30) == 0
    assert home.processes() == []
    assert home.run_here("call", "names", "fine").stdout == "fine\n"


def test_nothing_is_left_after_stop(home: Home) -> None:
    """`llm-mcp stop` ends the daemon, its servers and what those have started, also stubborn ones."""
    home.write_config(
        {"grand": entry(faulty_server("grandchild")), "stubborn": entry(faulty_server("ignore-term"))}
    )
    with living_in(home):
        assert result_of(MCP(servers="grand"), "grandchild").output.isdigit()
        assert result_of(MCP(), "stubborn_echo", text="x").output == "x"
    assert len(home.processes()) == 4
    home.run_here("stop")
    assert home.processes() == []
    left = [path.name for path in home.runtime.iterdir()]
    assert sorted(left) == ["s.lock", "s.spawn.lock"]
