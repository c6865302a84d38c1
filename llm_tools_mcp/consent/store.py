"""A file of consent: 0600, replaced as a whole, changed under a lock. Readers see the old or the new one."""

from __future__ import annotations

import json
import os
import shlex
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llm_tools_mcp.errors import McpError
from llm_tools_mcp.system import access
from llm_tools_mcp.system.locking import LockHeld, exclusively
from llm_tools_mcp.system.replacing import replace_private

_VERSION = 1
_MAX_BYTES = 16 << 20


class ConsentUnusable(McpError):
    """The file cannot be read, written or trusted. Nothing is agreed to, then, and nothing is overwritten."""


class ConsentStore:
    """A JSON object below a version. `path` need not exist. `is_sound`: whether one entry can be used."""

    def __init__(self, path: Path, is_sound: Callable[[Any], bool]) -> None:
        self.path = path
        self._is_sound = is_sound

    def read(self) -> dict[str, Any]:
        """Raises ConsentUnusable."""
        try:
            with open(self.path, "rb", opener=access.open_unwaiting) as file:
                self._check(os.fstat(file.fileno()))
                content = file.read(_MAX_BYTES)
        except FileNotFoundError:
            return {}
        except OSError as error:
            why = access.obstacle(error, self.path)
            raise ConsentUnusable(f"{self.path} cannot be read: {why}") from None
        return self._decoded(content)

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise self._unusable("is no regular file")
        if status.st_uid not in (os.geteuid(), 0) or status.st_mode & stat.S_IWOTH:
            raise self._unusable("is refused: others may have written it")

    def _decoded(self, content: bytes) -> dict[str, Any]:
        try:
            document = json.loads(content)
            agreed = document["agreed"]
            if document["version"] == _VERSION and all(map(self._is_sound, agreed.values())):
                return dict(agreed)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            pass
        raise self._unusable("is damaged, or of another version of this program")

    def _unusable(self, detail: str) -> ConsentUnusable:
        word = shlex.quote(str(self.path))
        return ConsentUnusable(f"{self.path} {detail}; to be asked anew: mv {word} {word}.old")

    @contextmanager
    def changed(self) -> Iterator[dict[str, Any]]:
        """What is agreed to, to be changed; on disk when the block has ended. Raises ConsentUnusable."""
        try:
            access.make_private_folder(self.path.parent)
            with exclusively(self.path.with_name(f"{self.path.name}.lock")):
                agreed = self.read()
                yield agreed
                content = json.dumps({"version": _VERSION, "agreed": agreed}, indent=1).encode()
                replace_private(self.path, content, is_durable=True)
        except LockHeld as error:
            raise ConsentUnusable(f"{self.path} {error}; {error.repair}") from None
        except OSError as error:
            why = access.obstacle(error, self.path)
            raise ConsentUnusable(f"{self.path} cannot be written: {why}") from None
