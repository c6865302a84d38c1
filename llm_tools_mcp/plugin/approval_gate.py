"""Whether a model's call of a tool may be made: the person is asked where toolbox, server or config want it.

Every call of every tool passes here. What is not wanted costs nothing: no file is read, nothing is loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from llm_tools_mcp.config.approval_mode import APPROVALS, NEVER, WRITES, strictest
from llm_tools_mcp.errors import McpError, NotApproved
from llm_tools_mcp.text.plain import plain

if TYPE_CHECKING:
    from llm_tools_mcp.client.daemon import Daemon
    from llm_tools_mcp.client.tools import Listing, Offer
    from llm_tools_mcp.consent.approvals import Approvals, ToolText
    from llm_tools_mcp.consent.store import ConsentUnusable
    from llm_tools_mcp.terminal.approval_question import Decision
    from llm_tools_mcp.terminal.progress import Display
    from llm_tools_mcp.terminal.tty import Withdrawal


def checked_approval(value: object) -> str:
    """Raises McpError for MCP(approve=…) with what there is not."""
    if value is None:
        return NEVER
    if value not in APPROVALS:
        raise McpError(f"MCP(approve=…) takes one of: {', '.join(APPROVALS)}")
    return str(value)


class ApprovalGate:
    """Of one toolbox. `approve` is what it asks for; the strictest word counts. `readonly`: of its tools."""

    def __init__(
        self, approve: str, display: Display, daemon: Callable[[], Daemon], *, readonly: bool = False
    ) -> None:
        self._approve = approve
        self._display = display
        self._daemon = daemon
        self._readonly = readonly

    def pass_or_raise(self, listing: Listing, offer: Offer, arguments: Mapping[str, Any]) -> None:
        """In the thread of the prompt, where Ctrl-C ends the question. Raises NotApproved."""
        approve = self._approve_for(listing, offer)
        if approve != NEVER or self._readonly:
            self._check(approve, listing, offer, arguments, None)

    async def pass_or_raise_async(self, listing: Listing, offer: Offer, arguments: Mapping[str, Any]) -> None:
        """The same for an event loop, which goes on meanwhile; cancelled with its task."""
        approve = self._approve_for(listing, offer)
        if approve == NEVER and not self._readonly:
            return
        from llm_tools_mcp.client.call_questions import Withdrawal, in_a_thread

        withdrawal = Withdrawal()
        asked = in_a_thread(
            lambda: self._check(approve, listing, offer, arguments, withdrawal), withdrawal.close
        )
        try:
            await asyncio.shield(asyncio.wrap_future(asked))
        except asyncio.CancelledError:
            withdrawal.withdraw("the prompt has ended")
            raise

    def _approve_for(self, listing: Listing, offer: Offer) -> str:
        """NEVER also where the person has allowed it in words: in the entry, or to llm itself."""
        policy = listing.policies.get(offer.server)
        approve = strictest([self._approve, policy.approve]) if policy is not None else self._approve
        if approve == NEVER or _llm_has_asked() or (policy is not None and policy.allows(offer.tool)):
            return NEVER
        return approve

    def _check(
        self,
        approve: str,
        listing: Listing,
        offer: Offer,
        arguments: Mapping[str, Any],
        withdrawal: Withdrawal | None,
    ) -> None:
        from llm_tools_mcp.consent.approvals import Approvals
        from llm_tools_mcp.consent.store import ConsentUnusable

        approvals = Approvals()
        key = listing.policies[offer.server].consent_key if offer.server in listing.policies else ""

        def is_let(offer: Offer) -> bool:
            if approve == NEVER or (approve == WRITES and offer.is_read_only):
                return True
            return bool(key) and approvals.is_approved(key, text_of(offer))

        try:
            if self._readonly or is_let(offer):
                # What the model was told may be a day old: what the tool is now decides.
                offer = self._now(listing, offer)
                if self._readonly and not offer.is_read_only:
                    what = "it does not say any more that it only reads"
                    raise NotApproved(f"{offer.tool} was not called: {what}")
                if is_let(offer):
                    return
            self._ask(approvals, key, listing, offer, arguments, withdrawal)
        except ConsentUnusable as why:
            raise self._unreadable(offer, why) from None

    def _ask(
        self,
        approvals: Approvals,
        key: str,
        listing: Listing,
        offer: Offer,
        arguments: Mapping[str, Any],
        withdrawal: Withdrawal | None,
    ) -> None:
        from llm_tools_mcp.terminal.approval_question import NO, ONCE, SERVER
        from llm_tools_mcp.terminal.tty import Gone, NoTerminal

        try:
            decision = self._decision(approvals, key, offer, arguments, withdrawal)
        except NoTerminal as why:
            raise self._refusal(listing, offer, str(why)) from None
        except Gone as why:
            raise NotApproved(f"{offer.tool} was not called: {why}") from None
        if decision.choice == NO:
            reason = f": {decision.reason}" if decision.reason else ""
            raise NotApproved(f"the user did not allow this call of {offer.tool}{reason}")
        if decision.choice != ONCE and key:
            others = [text_of(other) for other in listing.offers if other.server == offer.server]
            self._remember(approvals, key, offer, others if decision.choice == SERVER else [text_of(offer)])

    def _remember(self, approvals: Approvals, key: str, offer: Offer, tools: list[ToolText]) -> None:
        """What cannot be written down is allowed all the same, this time."""
        from llm_tools_mcp.consent.store import ConsentUnusable

        try:
            approvals.approve(key, offer.server, tools)
        except ConsentUnusable as why:
            self._display.print(f"Warning: you will be asked again, since this cannot be remembered: {why}")

    def _now(self, listing: Listing, offer: Offer) -> Offer:
        """As its server lists it at this moment. Raises NotApproved where that is not known."""
        try:
            return self._daemon().offer_now(listing, offer)
        except McpError as error:
            raise NotApproved(f"{offer.tool} was not called: {error}") from error

    def _decision(
        self,
        approvals: Approvals,
        key: str,
        offer: Offer,
        arguments: Mapping[str, Any],
        withdrawal: Withdrawal | None,
    ) -> Decision:
        from llm_tools_mcp.terminal.approval_question import Request, ask_for_approval

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

    def _refusal(self, listing: Listing, offer: Offer, why: str) -> NotApproved:
        """In words for the model; the person gets those that help."""
        tool = plain(offer.tool)
        self._display.print(
            f"Warning: {plain(offer.server)}: {tool} was not called: it needs your approval, and {why}. "
            f"To allow it: {_ways_to_allow(listing, offer)}"
        )
        return NotApproved(
            f"{tool} was not called: it needs the user's approval, and the user could not be asked ({why}). "
            "Go on without it, and say what you would have done."
        )

    def _unreadable(self, offer: Offer, why: ConsentUnusable) -> NotApproved:
        """What to type is for the person alone: a model may have a shell."""
        tool = plain(offer.tool)
        self._display.print(f"Warning: {plain(offer.server)}: {tool} was not called: {why}")
        return NotApproved(
            f"{tool} was not called: what the user has allowed so far cannot be read. The user was told how "
            "to mend that; go on without it."
        )


def _ways_to_allow(listing: Listing, offer: Offer) -> str:
    """On a terminal; in an entry only where there is one, and where it counts."""
    from llm_tools_mcp.config import named_entries

    caller, tool = listing.caller, plain(offer.tool)
    always = "run the prompt on a terminal once, and answer t (this tool, from now on)"
    if offer.server in named_entries(caller.project_config):
        return (
            f"{always}; an `alwaysAllow` in {caller.project_path} does not count, since it is the project's"
        )
    if not caller.config_path:
        return always
    key, server = f'"alwaysAllow": ["{tool}"]', plain(offer.server)
    return f"{always}; or add {key} to the entry of {server} in {caller.config_path}"


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
