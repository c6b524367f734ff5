"""The line at the bottom that says which keys there are now: as many as fit, and always how to get to the rest."""

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from textual.binding import Binding
from textual.events import Click
from textual.screen import Screen

from ..bindings import key_of
from .lines import Line, LiveLines, Piece
from .tabs import Tabs

#: The key that is always to be seen: it leads to all others.
ALWAYS = "help"

#: What stands where keys are left out.
MORE = "…"


class Keys(LiveLines):
    """Draws the keys that are shown, the way to the help first; a click on one is the key."""

    DEFAULT_CSS = """
    Keys { height: 1; dock: bottom; background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._ends: list[tuple[int, str]] = []
        self._keys: list[tuple[str, str, str]] = []

    def on_mount(self) -> None:
        """Draw other keys whenever there are others."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, _: Screen[Any]) -> None:
        self.repaint()

    def lines(self, width: int, height: int) -> Sequence[Line]:  # noqa: ARG002
        """Return the line."""
        pieces: list[Piece] = []
        self._ends = []
        keys = self._shown()
        used = 0
        for number, (key, shown, label) in enumerate(keys, 1):
            room = width - used - (0 if number == len(keys) else len(MORE) + 1)
            length = cell_len(f" {shown} {label} ")
            if length > room and number > 1:
                pieces.append((f" {MORE}", "dim"))
                break
            pieces += [(f" {shown}", "accent"), (f" {label} ", "")]
            used += length
            self._ends.append((used, key))
        return [self.line(pieces, width)]

    def _shown(self) -> list[tuple[str, str, str]]:
        """Return each key, how it is written, and what it does in a word; below a dialog, what there was before."""
        if self._keys and self.screen is not self.app.screen:
            return self._keys
        of_use = getattr(self.app, "is_of_use", _always)
        active = [one.binding for one in self.screen.active_bindings.values()]
        shown = (binding for binding in active if binding.show)
        # What has several keys is named once, with the first of them.
        found = [*{binding.action: binding for binding in reversed([*filter(of_use, shown)])}.values()][::-1]
        found.sort(key=lambda binding: binding.action != ALWAYS)
        self._keys = [(binding.key, self.app.get_key_display(binding), self._label(binding)) for binding in found]
        if not self.screen.query_one(Tabs).display and any(binding.action.startswith("view(") for binding in active):
            self._keys.insert(1, ("", self._keys_of_views(), "views"))
        return self._keys

    def _label(self, binding: Binding) -> str:
        """Return what a key does, in a word: the one that has frozen the view lets it go on."""
        frozen = getattr(getattr(self.screen, "picture", None), "frozen", False)
        return "go on" if binding.action == "pause" and frozen else binding.description

    def _keys_of_views(self) -> str:
        """Return the keys of the views, which nothing else names where there is no line of tabs."""
        keys = [key_of(self, f"app.{name.lower()}") for name in self.screen.query_one(Tabs).names]
        return "1-6" if keys == [*"123456"] else " ".join(keys)

    def on_click(self, event: Click) -> None:
        """Press the key that was clicked."""
        for end, key in self._ends:
            if event.x < end:
                if key:
                    self.app.simulate_key(key)
                return


def _always(_: Binding) -> bool:
    return True
