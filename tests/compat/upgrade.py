"""From 0.4, the predecessor of the same name, to ours and back: the same config, the same prompt."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.external import install_into, install_packages
from tests.home import Home
from tests.prompting import calling, output
from tests.servers import entry, everything_server

from .environments import FOLDER, MODEL
from .smoke import Trial

# 0.4 breaks every `llm` command beside mcp 2.
PREDECESSOR = ("llm-tools-mcp==0.4", "mcp<2")
PROMPT = calling(("echo", {"text": "the same"}))


def upgrade(wheel: Path) -> None:
    """Raises AssertionError."""
    environment = FOLDER / "upgrade"
    shutil.rmtree(environment, ignore_errors=True)
    install_packages(environment, [sys.executable], (*PREDECESSOR, MODEL))
    python = environment / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        trial = Trial(home, environment / "bin")
        written = home.write_config({"every": entry(everything_server())}).read_bytes()
        try:
            answers(trial, "before")
            install_into(python, "--upgrade", str(wheel))
            assert answers(trial, "with ours") == "the same"
            assert home.config.read_bytes() == written
            trial.run("llm", "mcp", "stop")
            install_into(python, *PREDECESSOR)
            answers(trial, "back again")
            assert home.config.read_bytes() == written
        finally:
            home.close()


def answers(trial: Trial, when: str) -> str:
    """What the tool of the same name says: 0.4 shows it as Python does."""
    done = trial.run("llm", "-m", "echo", "-T", "MCP", PROMPT)
    answer = output(done)
    assert "the same" in answer, f"{when}: {done}"
    return answer
