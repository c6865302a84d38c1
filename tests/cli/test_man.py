"""The manual page says what the commands' help says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "packaging" / "man.py"


def test_page_is_current() -> None:
    """A command or an option that changed is written again by `make man`."""
    code = f"import runpy; print(runpy.run_path({str(SCRIPT)!r})['page'](), end='')"
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert (SCRIPT.parent / "man" / "llm-mcp.1").read_text() == fresh


def test_page_can_be_shown() -> None:
    """Without a complaint of the formatter."""
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    argv = ["groff", "-man", "-Tutf8", "-ww", str(SCRIPT.parent / "man" / "llm-mcp.1")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "llm mcp call [OPTIONS] SERVER TOOL" in re.sub(".\x08|\x1b\\[[0-9]*m", "", done.stdout)  # bold
