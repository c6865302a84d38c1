"""Whether a model's call of a tool may be made: the person is asked where toolbox, server or config want it.

Every call of every tool passes here. What is not wanted costs nothing: no file is read, nothing is loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llm_tools_mcp.config.approval import APPROVALS, NEVER, WRITES, strictest
from llm_tools_mcp.errors import McpError, NotApproved
from llm_tools_mcp.text.plain import plain

if TYPE_CHECKING:
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.client.tools import Listing, Offer
    from llm_tools_mcp.consent.approvals import Approvals, ToolText
    from llm_tools_mcp.terminal.approvals import Decision
    from llm_tools_mcp.terminal.progress import Display
    from llm_tools_mcp.terminal.tty import Withdrawal


def checked_approval(value: object) -> str:
    """Raises McpError for MCP(approve=…) with what there is not."""
    if value is None:
        return NEVER
    if value not in APPROVALS:
        raise McpError(f"MCP(approve=…) takes one of: {', '.join(APPROVALS)}")
    return str(value)


class Gate:
    """Of one toolbox. `approve` is what it asks for; the strictest word counts."""

    def __init__(self, approve: str, display: Display, daemon: Callable[[], Daemon]) -> None:
        self._approve = approve
        self._display = display
        self._daemon = daemon

    def pass_or_raise(self, listing: Listing, offer: Offer, arguments: Mapping[str, Any]) -> None:
        """In the thread of the prompt, where Ctrl-C ends the question. Raises NotApproved."""
        if self._is_asked(listing, offer):
            self._ask(listing, offer, arguments, None)

    async def pass_or_raise_async(self, listing: Listing, offer: Offer, arguments: Mapping[str, Any]) -> None:
        """The same for an event loop, which goes on meanwhile; cancelled with its task."""
        if not self._is_asked(listing, offer):
            return
        from llm_tools_mcp.client.asking import Withdrawal, in_a_thread

        withdrawal = Withdrawal()
        asked = in_a_thread(lambda: self._ask(listing, offer, arguments, withdrawal), withdrawal.close)
        try:
            await asyncio.shield(asyncio.wrap_future(asked))
        except asyncio.CancelledError:
            withdrawal.withdraw("the prompt has ended")
            raise

    def _is_asked(self, listing: Listing, offer: Offer) -> bool:
        policy = listing.policies.get(offer.server)
        approve = strictest([self._approve, policy.approve]) if policy is not None else self._approve
        if approve == NEVER or (approve == WRITES and offer.is_read_only) or _llm_has_asked():
            return False
        return policy is None or not policy.allows(offer.tool)

    def _ask(
        self,
        listing: Listing,
        offer: Offer,
        arguments: Mapping[str, Any],
        withdrawal: Withdrawal | None,
    ) -> None:
        from llm_tools_mcp.consent.approvals import Approvals
        from llm_tools_mcp.terminal.approvals import NO, ONCE, SERVER
        from llm_tools_mcp.terminal.tty import Gone, NoTerminal

        approvals, text = Approvals(), text_of(offer)
        key = listing.policies[offer.server].consent_key if offer.server in listing.policies else ""
        if key and approvals.is_approved(key, text):
            # What the model was told may be a day old: a server that has changed meanwhile is asked about.
            now = self._now(listing, offer)
            if text_of(now) == text:
                return
            offer, text = now, text_of(now)
        try:
            decision = self._decision(approvals, key, offer, arguments, withdrawal)
        except NoTerminal as why:
            raise self._refusal(offer, str(why)) from None
        except Gone as why:
            raise NotApproved(f"{offer.tool} was not called: {why}") from None
        if decision.choice == NO:
            reason = f": {decision.reason}" if decision.reason else ""
            raise NotApproved(f"the user did not allow this call of {offer.tool}{reason}")
        if decision.choice != ONCE and key:
            others = [text_of(other) for other in listing.offers if other.server == offer.server]
            approvals.approve(key, offer.server, others if decision.choice == SERVER else [text])

    def _now(self, listing: Listing, offer: Offer) -> Offer:
        """As its server lists it at this moment: without a word where it does not any more."""
        try:
            now = self._daemon().offer_now(listing, offer)
        except McpError:
            return offer  # the call fails by itself, and says why
        return now if now is not None else replace(offer, description="")

    def _decision(
        self,
        approvals: Approvals,
        key: str,
        offer: Offer,
        arguments: Mapping[str, Any],
        withdrawal: Withdrawal | None,
    ) -> Decision:
        from llm_tools_mcp.terminal.approvals import Request, ask_for_approval

        text = text_of(offer)
        former = approvals.former(key, text) if key else None
        request = Request(
            offer.server,
            offer.tool,
            arguments,
            offer.annotations,
            None if former is None else _as_lines(former),
            _as_lines(text),
        )
        with self._display.paused():
            return ask_for_approval(request, withdrawal)

    def _refusal(self, offer: Offer, why: str) -> NotApproved:
        """In words for the model; the person gets those that help."""
        tool, server = plain(offer.tool), plain(offer.server)
        self._display.print(
            f"Warning: {server}: {tool} was not called: it needs your approval, and {why}. To allow it: run "
            f'the prompt on a terminal once, or add "alwaysAllow": ["{tool}"] to the entry of {server}'
        )
        return NotApproved(
            f"{tool} was not called: it needs the user's approval, and the user could not be asked ({why}). "
            "Go on without it, and say what you would have done."
        )


def text_of(offer: Offer) -> ToolText:
    from llm_tools_mcp.consent.approvals import ToolText

    return ToolText(offer.tool, offer.description, offer.wire.input_schema)


def _as_lines(text: ToolText) -> str:
    import json

    try:
        schema = json.dumps(json.loads(text.schema), indent=1, ensure_ascii=False)
    except ValueError:
        schema = text.schema
    return f"{text.description}\n{schema}"


def _llm_has_asked() -> bool:
    """`llm --ta` asks before each call, in its own words: then it was answered with yes."""
    import click

    context = click.get_current_context(silent=True)
    while context is not None:
        if context.params.get("tools_approve"):
            return True
        context = context.parent
    return False
