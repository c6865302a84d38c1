"""`envFile`: a file of KEY=value lines, in the format of python-dotenv."""

from __future__ import annotations


def variables_of(content: str) -> dict[str, str]:
    """As they are written: what they refer to is not put in yet."""
    from io import StringIO

    from dotenv import dotenv_values

    found = dotenv_values(stream=StringIO(content), interpolate=False)
    return {name: value or "" for name, value in found.items()}
