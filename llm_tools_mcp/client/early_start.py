"""A daemon that has to be started starts while its client loads what takes long: llm's models, gRPC.

Imports nothing heavy, so that it can begin before what does.
"""

from __future__ import annotations

import threading
from pathlib import Path

from llm_tools_mcp import paths

from . import activation, socket_probe


class EarlyStart:
    """Begins to start a daemon where none accepts. Raises SocketRefused, DaemonUnresponsive."""

    def __init__(self) -> None:
        self._socket = paths.socket_path()
        self._is_ours = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        if not socket_probe.accepts(self._socket):
            self._thread = threading.Thread(target=self._run, name="starting", daemon=True)
            self._thread.start()

    def wait(self) -> tuple[Path, bool]:
        """A socket that accepts, and whether its daemon was started by us and has said that it is ready.

        Raises DaemonStartFailed and its kin.
        """
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error
        return self._socket, self._is_ours

    def _run(self) -> None:
        try:
            self._is_ours = activation.start(self._socket)
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            self._error = error
