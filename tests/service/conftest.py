"""Fixtures of the service managers' tests.

manager     a throwaway systemd user manager, once as root and once as an unprivileged user
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.manager import UNPRIVILEGED, Unavailable, UserManager, check_available


@pytest.fixture(params=["root", UNPRIVILEGED], ids=["root", "unprivileged"])
def manager(request: pytest.FixtureRequest) -> Iterator[UserManager]:
    try:
        check_available()
        made = UserManager(request.param)
    except Unavailable as why:
        pytest.skip(str(why))
    yield made
    made.close()
