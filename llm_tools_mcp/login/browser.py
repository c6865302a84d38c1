"""The person's browser: whether there is one, and opening a page in it. `BROWSER` is honoured."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping

_OPENERS = ("xdg-open", "wslview", "gio open")


def has_browser(environ: Mapping[str, str]) -> bool:
    """Not over SSH without a display, nor in a container: a page would come up nowhere, or as text."""
    return next(_commands(environ), None) is not None


def open_page(url: str, environ: Mapping[str, str]) -> bool:
    """Whether something was started that may show it. It is not waited for."""
    for words in _commands(environ):
        argv = [word.replace("%s", url) for word in words]
        argv = argv if any("%s" in word for word in words) else [*argv, url]
        try:
            subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # our Ctrl-C is not for it
            )
        except OSError:
            continue
        return True
    return False


def _commands(environ: Mapping[str, str]) -> Iterator[list[str]]:
    for command in environ.get("BROWSER", "").split(os.pathsep):
        try:
            words = shlex.split(command)
        except ValueError:
            continue
        if words and shutil.which(words[0], path=environ.get("PATH")):
            yield words
    yield from ([*each.split()] for each in _system_openers(environ))


def _system_openers(environ: Mapping[str, str]) -> list[str]:
    if sys.platform == "darwin":
        return [] if environ.get("SSH_CONNECTION") else ["open"]
    if not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY") or environ.get("WSL_DISTRO_NAME")):
        return []
    return [opener for opener in _OPENERS if shutil.which(opener.split()[0], path=environ.get("PATH"))]
