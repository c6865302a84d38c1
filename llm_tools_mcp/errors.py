"""Everything that can go wrong, as types. Their text is for people: what, where, what to do next.

McpError
├── ConfigError               the config cannot be used: file, server, key
│   └── ConfigNotFound        there is no such file
├── DaemonError
│   ├── DaemonUnreachable     nothing listens on the socket
│   ├── DaemonStartFailed     it was started and did not become ready
│   ├── DaemonUnresponsive    the socket accepts, nobody answers
│   ├── DaemonIncompatible    it speaks another major version of the protocol
│   ├── DaemonAlreadyRunning  another one holds the socket
│   └── SocketRefused         the socket's path or owner is not acceptable
├── ServiceError              the service manager refused
├── LoginError                nobody is logged in, and this is why
│   ├── LoginRefused          the authorization server said no
│   ├── LoginUnreachable      it did not answer
│   ├── LoginsUnusable        the store of logins cannot be used
│   └── KeyringUnusable       the keyring that has a login's tokens cannot be used
├── PublishedError            a published server cannot be used: its registry, its entry there, its bundle
└── ToolCallError             one tool call
    ├── ToolFailed            the tool answered with an error of its own
    ├── NotApproved           the person did not allow it, or could not be asked
    ├── UnknownTool           no such server or tool
    └── OutcomeUnknown        sent, and the answer was lost: it may have run
"""

from __future__ import annotations

# Between our words and the server's own, where a message has both.
SERVER_SAID = "; it says: "
# Begins what is said of the store of logins, also within a message.
LOGINS = "the store of logins"


class McpError(Exception):
    """Base of all errors that this package raises on purpose."""


class ConfigError(McpError):
    """A config that cannot be used. `path` is the file (or what stands for it).

    `repair` holds commands to type, one a line, where they are known: `doctor` shows them. `reason` is the
    detail for where the server is named already.
    """

    def __init__(self, path: str, detail: str, repair: str = "", reason: str = "") -> None:
        super().__init__(path, detail, repair, reason)
        self.path, self.detail, self.repair, self.reason = path, detail, repair, reason or detail

    def __str__(self) -> str:
        return f"{self.path}: {self.detail}" if self.path else self.detail

    @property
    def reason_in_file(self) -> str:
        """The reason with the file, for where the server is named already."""
        return f"{self.path}: {self.reason}" if self.path else self.reason


class ConfigNotFound(ConfigError):
    """`option` is what a command needs after its name to mean this file; `note` what else is to be said."""

    def __init__(self, path: str, option: str = "", note: str = "") -> None:
        super().__init__(path, "no such file")
        self.option, self.note = option, note

    def __str__(self) -> str:
        return (
            f"there is no MCP config at {self.path}\n{self.note}"
            f"Make one: llm mcp add{self.option} NAME -- COMMAND ARGS…\n"
            f"or take over the servers of other clients: llm mcp import{self.option}\n"
            'or write it: {"mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time"]}}}\n'
            "or see it work first: llm mcp demo"
        )


class DaemonError(McpError):
    """The daemon cannot be used."""


class DaemonUnreachable(DaemonError):
    def __init__(self, socket: str, detail: str = "") -> None:
        super().__init__(socket, detail)
        self.socket, self.detail = socket, detail

    def __str__(self) -> str:
        reason = f": {self.detail}" if self.detail else ""
        return f"no llm-mcp daemon answers on {self.socket}{reason}"


class DaemonStartFailed(DaemonError):
    """`log_tail` holds the last lines that the daemon wrote, oldest first."""

    def __init__(self, detail: str, log_tail: list[str], advice: str = "") -> None:
        super().__init__(detail, log_tail, advice)
        self.detail, self.log_tail, self.advice = detail, log_tail, advice

    def __str__(self) -> str:
        lines = [f"the llm-mcp daemon did not start: {self.detail}"]
        if self.log_tail:
            lines += ["Its last log lines:", *(f"  {line}" for line in self.log_tail)]
        return "\n".join([*lines, self.advice] if self.advice else lines)


class DaemonUnresponsive(DaemonError):
    def __init__(self, socket: str, seconds: float, advice: str = "try: llm mcp restart") -> None:
        super().__init__(socket, seconds, advice)
        self.socket, self.seconds, self.advice = socket, seconds, advice

    def __str__(self) -> str:
        return (
            f"{self.socket} accepts connections, but no llm-mcp daemon answered "
            f"within {self.seconds:g} s; {self.advice}"
        )


class DaemonIncompatible(DaemonError):
    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return f"the running llm-mcp daemon and this client do not understand each other: {self.detail}"


class DaemonAlreadyRunning(DaemonError):
    """`pid` is 0 where it is not known."""

    def __init__(self, socket: str, pid: int) -> None:
        super().__init__(socket, pid)
        self.socket, self.pid = socket, pid

    def __str__(self) -> str:
        who = f"pid {self.pid}" if self.pid else "another process holds the socket"
        return f"already running, {who} ({self.socket}); to replace it: llm mcp restart"


class SocketRefused(DaemonError):
    def __init__(self, path: str, detail: str) -> None:
        super().__init__(path, detail)
        self.path, self.detail = path, detail

    def __str__(self) -> str:
        return f"refusing the socket {self.path}: {self.detail}"


class ServiceError(McpError):
    """The service manager could not do what was asked. `repair` holds commands to type."""

    def __init__(self, detail: str, repair: str = "") -> None:
        super().__init__(detail, repair)
        self.detail, self.repair = detail, repair

    def __str__(self) -> str:
        return f"{self.detail}\nTo repair it:\n  {self.repair}" if self.repair else self.detail


class LoginError(McpError):
    """A login did not come about. Its text holds no secrets."""


class LoginRefused(LoginError):
    """`code` is OAuth's, such as `invalid_grant`; empty where the answer had none."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text, code)
        self.text, self.code = text, code

    def __str__(self) -> str:
        return self.text


class LoginUnreachable(LoginError):
    """Network trouble, or a server's: trying again may help."""


class LoginsUnusable(LoginError):
    """The file is damaged or not the user's own; it is never overwritten. `repair` is what to type."""

    def __init__(self, path: str, detail: str, repair: str) -> None:
        super().__init__(path, detail, repair)
        self.path, self.detail, self.repair = path, detail, repair

    def __str__(self) -> str:
        return f"{LOGINS} {self.path} {self.detail}; to go on: {self.repair}"


class KeyringUnusable(LoginError):
    """`repair` is what to do."""

    def __init__(self, detail: str, repair: str) -> None:
        super().__init__(detail, repair)
        self.detail, self.repair = detail, repair

    def __str__(self) -> str:
        return f"the keyring {self.detail}; to go on: {self.repair}"


class PublishedError(McpError):
    """What others publish cannot be used, or got at."""


class ToolCallError(McpError):
    """One tool call failed; its text goes to the model."""


class ToolFailed(ToolCallError):
    """The tool ran and reported an error: the text is the server's own."""


class NotApproved(ToolCallError):
    """The person did not allow the call, or could not be asked; it was not made."""


class UnknownTool(ToolCallError):
    """The config has no such server, or the server no such tool."""


class OutcomeUnknown(ToolCallError):
    """The call was sent and its answer was lost. It may have run, and is never repeated."""
