"""The line that says which views there are, and in which one is."""

from collections.abc import Mapping, Sequence

from textual.events import Click
from textual.strip import Strip

from .lines import LiveLines, Piece


class Tabs(LiveLines):
    """Draws the names of views behind their keys; a click on one is the key."""

    DEFAULT_CSS = """
    Tabs { height: 1; background: $panel; }
    """

    def __init__(self, views: Mapping[str, str], current: str) -> None:
        super().__init__()
        self._views = views
        self._current = current

    def lines(self, width: int, height: int) -> Sequence[Strip]:  # noqa: ARG002
        """Return the line."""
        pieces: list[Piece] = []
        for key, name in self._views.items():
            here = name == self._current
            pieces += [(f" {key}", "accent"), (f" {name} ", "cursor" if here else "dim")]
        return [self.strip(pieces, width)]

    def on_click(self, event: Click) -> None:
        """Press the key of the name that was clicked."""
        x = 0
        for key, name in self._views.items():
            x += len(key) + len(name) + 3
            if event.x < x:
                self.app.simulate_key(key)
                return
