"""Changes of a server's lists: in the modern era a client subscribes to them, again where that ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio

from . import sdk
from .pagination import is_unknown_method

# A list of the server has changed: of its "tools", "resources" or "prompts".
OnChanged = Callable[[str], None]

# Seconds before a lost subscription is tried again: doubling.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


async def watch_lists(
    session: sdk.ClientSession, kinds: Sequence[str], is_usable: Callable[[], bool], on_changed: OnChanged
) -> None:
    """Until the connection ends, or the server turns out to know no subscriptions."""
    pause = _FIRST_PAUSE
    while is_usable():
        began = anyio.current_time()
        try:
            async with sdk.listen(
                session,
                tools_list_changed="tools" in kinds,
                resources_list_changed="resources" in kinds,
                prompts_list_changed="prompts" in kinds,
            ) as subscription:
                if pause > _FIRST_PAUSE:
                    for kind in kinds:
                        on_changed(kind)  # what changed meanwhile went unnoticed
                async for event in subscription:
                    if kind := sdk.LIST_EVENTS.get(type(event), ""):
                        on_changed(kind)
        except (sdk.SubscriptionLost, sdk.MCPError) as error:
            if is_unknown_method(error):
                return
        if anyio.current_time() - began > _LONGEST_PAUSE:
            pause = _FIRST_PAUSE  # it was a good one
        await anyio.sleep(pause)
        pause = min(_LONGEST_PAUSE, 2 * pause)
