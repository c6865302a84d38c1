"""Files of a cache that nobody has touched for a while."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

_KEPT_SECONDS = 90 * 24 * 3600.0


def prune_unused(folder: Path) -> None:
    """Remove what nobody has asked for in months, and what a killed process left half written."""
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
                    path.unlink()
