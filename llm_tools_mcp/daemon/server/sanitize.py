"""What servers say is untrusted: here it loses what forges journal lines; see `plain`."""

from __future__ import annotations

import re
import unicodedata

from llm_tools_mcp.text.plain import plain

# sd-daemon(3): a line that starts with <N> sets its own priority in the journal.
_FORGED_PRIORITY = re.compile(r"^(?:<\d{1,3}>)+")

MAX_LINE = 4096  # characters


def clean_line(text: str) -> str:
    """One line of a log: plain, without line breaks or a forged priority, and bounded."""
    line = " ".join(plain(text).split("\n")).strip()
    line = "".join(" " if unicodedata.category(c) in ("Zl", "Zp") else c for c in line[: MAX_LINE + 1])
    line = _FORGED_PRIORITY.sub("", line).lstrip()
    return line if len(line) <= MAX_LINE else line[:MAX_LINE] + "…"
