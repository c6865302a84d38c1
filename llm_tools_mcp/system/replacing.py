"""Files that are this user's alone, replaced whole: a reader sees the old one or the new one."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def replace_private(path: Path, content: bytes, *, is_durable: bool = False) -> None:
    """The new one is 0600, as mkstemp makes it; a link is replaced, not followed.

    `is_durable`: it is on disk before it takes the old one's place. Raises OSError, and leaves nothing then.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if is_durable:
                file.flush()
                os.fsync(descriptor)
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
