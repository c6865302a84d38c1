"""The operating system's service manager, where it owns the daemon: systemd or launchd.

`installed_service()` tells whether a unit counts for this user (then the daemon is never spawned),
`installer()` writes and removes the units. Both managers stand behind the small protocols below.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from llm_tools_mcp import paths
from llm_tools_mcp.errors import ServiceError

if TYPE_CHECKING:
    from .unit_files import Program


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What the manager says. `failure` is its reason in words, empty when nothing is wrong."""

    listening: bool
    active: bool
    enabled: bool
    main_pid: int
    failure: str
    units: tuple[Path, ...]
    text: str


class Service(Protocol):
    """A unit that counts. What the manager refuses is raised as ServiceError, with the repair."""

    @property
    def kind(self) -> str:
        """Either "systemd" or "launchd"."""

    def start(self) -> None:
        """Have the manager listen; it starts the daemon at the first connection."""

    def stop(self) -> None:
        """Stop the daemon after its drain; the manager goes on listening."""

    def restart(self) -> None: ...

    def reload(self) -> None: ...

    def status(self) -> ServiceStatus: ...

    def log_command(self, lines: int, *, follow: bool) -> list[str]:
        """A command that shows the daemon's log; empty where it is in files."""

    def last_log_lines(self, count: int) -> list[str]: ...

    def diagnosis(self) -> str:
        """Why the daemon does not answer: the manager's reason, the last log lines, the repair."""


class Drift(NamedTuple):
    """How a unit differs from what `install` would write now, or the manager from the unit."""

    text: str
    repair: str = "llm mcp service install"


class Installer(Protocol):
    def install(
        self, program: Program, *, enable: bool, force: bool, before_start: Callable[[], None]
    ) -> list[str]:
        """Write the units, then listen unless `enable` is false. Says what it did.

        `before_start` is called once the manager knows the units and before it binds the socket.
        """

    def uninstall(self) -> list[str]:
        """Stop, disable and remove what `install` wrote, and nothing else. Says what it did."""

    def idle(self) -> Drift | None:
        """Units that `install` wrote, where no manager counts them: why, and what to type."""

    def drift(self, program: Program) -> list[Drift]:
        """What is not current about the units that `install` wrote; none where it wrote none."""


def installed_service() -> Service | None:
    """The service that counts for this user. Cheap when there is none; may fork when there may be one."""
    if paths.socket_is_overridden():
        return None
    if shutil.which("systemctl"):
        from .systemd import find_service as find_systemd_service

        return find_systemd_service(paths.socket_path().parent)
    if shutil.which("launchctl"):
        from .launchd import find_service as find_launchd_service

        return find_launchd_service()
    return None


def idle_units() -> Drift | None:
    """What there is to say where `installed_service()` finds none, and units lie there all the same."""
    try:
        return installer().idle()
    except ServiceError:
        return None


def installer() -> Installer:
    """For this platform; raises ServiceError where there is no service manager that we know."""
    if paths.socket_is_overridden():
        raise ServiceError(
            "LLM_MCP_SOCKET is set: the daemon of a unit listens on the standard socket, "
            "and no client that has this variable would reach it",
            "unset LLM_MCP_SOCKET",
        )
    if shutil.which("systemctl"):
        from .systemd_install import SystemdInstaller

        return SystemdInstaller(paths.socket_path().parent)
    if shutil.which("launchctl"):
        from .launchd_install import LaunchdInstaller

        return LaunchdInstaller(paths.socket_path())
    raise ServiceError("there is neither systemd nor launchd here; the daemon is started by the first prompt")
