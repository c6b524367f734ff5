"""The line that says which views there are, and in which one is."""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from textual.events import Click

from ..bindings import key_of
from .lines import Line, LiveLines, Piece


class Tabs(LiveLines):
    """Draws the names of views behind their keys; a click on one goes there."""

    DEFAULT_CSS = """
    Tabs { height: 1; background: $panel; }
    """

    def __init__(self, views: Mapping[str, str], current: str) -> None:
        super().__init__()
        self._views = views
        self._current = current

    @property
    def names(self) -> list[str]:
        """What the views are called, in their order."""
        return [*self._views.values()]

    def lines(self, width: int, height: int) -> Sequence[Line]:  # noqa: ARG002
        """Return the line."""
        pieces: list[Piece] = []
        for name in self._views.values():
            key = self._key(name)
            here = name == self._current
            pieces += [(f" {key}", "accent"), (f" {name} ", "cursor" if here else "dim")]
        return [self.line(pieces, width)]

    def _key(self, name: str) -> str:
        return key_of(self, f"app.{name.lower()}")

    async def on_click(self, event: Click) -> None:
        """Go to the view whose name was clicked."""
        x = 0
        for number, name in self._views.items():
            key = self._key(name)
            x += cell_len(key) + len(name) + 3
            if event.x < x:
                await self.app.run_action(f"app.view('{number}')")
                return
