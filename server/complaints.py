"""What asyncio complains about, brought into the journal.

asyncio hands everything that went wrong and has no other place to go to the loop's exception handler: an exception
that nobody retrieved, a callback that raised. Under a full-screen app its own handler would be invisible, or
would write over the screen.
"""

import asyncio
from typing import Any

from . import events
from .journal import Journal
from .servers.base import describe


class Complaints:
    """Records the loop's complaints for as long as it is installed."""

    def __init__(self, journal: Journal, *, also_default: bool) -> None:
        self._journal = journal
        self._also_default = also_default

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Become the loop's exception handler."""
        loop.set_exception_handler(self._complaint)

    def uninstall(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the loop its default handler back."""
        loop.set_exception_handler(None)

    def _complaint(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        task = context.get("task") or context.get("future")
        self._journal.record(
            events.Complaint(
                message=str(context.get("message") or "Unhandled exception in event loop"),
                error=None if error is None else describe(error),
                task=task.get_name() if isinstance(task, asyncio.Task) else None,
            )
        )
        if self._also_default:
            loop.default_exception_handler(context)
