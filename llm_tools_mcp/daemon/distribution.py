"""The daemon's own distribution as it lies on disk: after an upgrade the running code is out of date."""

from __future__ import annotations

import sys
from pathlib import Path


class Distribution:
    """`loaded` is the version of the code that runs."""

    def __init__(self, name: str, loaded: str) -> None:
        self._name = name
        self._loaded = loaded
        self._folder = _usual_folder(name, loaded) or _metadata_folder(name)

    def is_outdated(self) -> bool:
        """Whether another version is installed now. At every prompt: one stat(2) while nothing changed."""
        if self._folder is None or self._folder.exists():
            return False
        installed = self.installed_version()
        return installed not in ("", self._loaded)

    def installed_version(self) -> str:
        """Empty while it is being replaced, or where it is not installed."""
        if self._folder is not None and self._folder.exists():
            return self._loaded
        from importlib import metadata  # 10 ms, which a prompt would wait for

        try:
            return metadata.version(self._name)
        except metadata.PackageNotFoundError:
            return ""


def _usual_folder(name: str, version: str) -> Path | None:
    """The same, found by its name where all installers put it."""
    named = f"{name.replace('-', '_')}-{version}.dist-info"
    return next((found for path in sys.path if (found := Path(path, named)).is_dir()), None)


def _metadata_folder(name: str) -> Path | None:
    """The .dist-info folder: its name holds the version, so an upgrade replaces it."""
    from importlib import metadata

    try:
        files = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    folder = getattr(files, "_path", None)  # not public, but as old as the module
    return Path(folder) if folder is not None else None
