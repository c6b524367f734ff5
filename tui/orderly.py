"""Keys that act in the order in which they are typed, however fast that is."""

import asyncio
import contextlib
from typing import TypeVar

from textual.app import App
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.events import Event, Key
from textual.widget import Widget
from textual.widgets import Input

Answer = TypeVar("Answer")

#: How long letters may take until they are in the line they were typed into, in seconds. It takes less than one frame.
ENOUGH = 1.0


class OrderlyApp(App[Answer]):
    """An app in which a key acts before the next one is handed out.

    Textual sends a key on a way from the widget that has the focus up to the app, where its binding acts at last; what
    is typed next overtakes it. It is taken for a key of the view that a dialog is about to cover, or gets lost.
    """

    async def on_event(self, event: Event) -> None:
        """Let a key act at once, unless it is a letter for a line that has the focus."""
        # Textual's palette searches in its own time, and relies on keys taking theirs.
        if isinstance(event, Key) and not event.is_forwarded and not isinstance(self.screen, CommandPalette):
            self.app_focus = True
            line = self.focused if isinstance(self.focused, Input) else None
            if line is None or not line.check_consume_key(event.key, event.character):
                if line is not None:
                    await _caught_up(line)
                acted = await self._check_bindings(event.key, priority=True) or await self._check_bindings(event.key)
                if line is not None and acted:
                    await _caught_up(*line.ancestors_with_self)
                if acted:
                    return
        await super().on_event(event)


async def _caught_up(*nodes: DOMNode) -> None:
    """Return when these have taken what was sent to them so far and goes from each to the next, or are gone."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ENOUGH):
            for node in nodes:
                taken = asyncio.Event()
                if isinstance(node, Widget) and node.call_later(taken.set):
                    await taken.wait()
