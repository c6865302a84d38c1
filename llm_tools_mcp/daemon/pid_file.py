"""daemon.pid beside the config: for people, not for liveness."""

from __future__ import annotations

import os
from contextlib import suppress

from llm_tools_mcp import paths
from llm_tools_mcp.system import access


class pid_file:  # noqa: N801 - reads as a function
    """Of a spawned daemon only (`wanted`); removed at the end, unless another one has written it since."""

    def __init__(self, *, wanted: bool) -> None:
        self._path = paths.pid_file() if wanted else None

    def __enter__(self) -> None:
        if self._path is None:
            return
        with suppress(OSError):  # a full disk keeps no prompt from its tools
            access.make_private_folder(self._path.parent)
            with os.fdopen(access.open_private(self._path, os.O_WRONLY | os.O_TRUNC), "w") as file:
                file.write(f"{os.getpid()}\n")

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            if self._path is not None and self._path.read_text().strip() == str(os.getpid()):
                self._path.unlink()
