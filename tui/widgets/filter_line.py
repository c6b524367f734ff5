"""The line a filter is typed into: it says which pane is filtered, what can be typed, and what is wrong with it."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from ..text import clean
from .lines import fit


class FilterLine(Widget):
    """Asks for a filter. It is not to be seen until `ask`, and not after `close`."""

    DEFAULT_CSS = """
    FilterLine {
        height: auto;
        background: $panel;
        Horizontal { height: 1; }
        #filter-of { width: auto; color: $accent; text-style: bold; }
        #filter { width: 1fr; height: 1; border: none; background: $panel; }
        #filter-wrong { height: auto; color: $text-error; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="filter-line")
        self.display = False
        self._hint = ""
        self._room_taken = 0

    def compose(self) -> ComposeResult:
        """Yield what is wrong, and the line."""
        yield Static(id="filter-wrong", markup=False)
        with Horizontal():
            yield Static(id="filter-of", markup=False)
            yield Input(id="filter", compact=True)

    @property
    def is_open(self) -> bool:
        """Whether keys go into it."""
        return bool(self.display)

    @property
    def is_wrong(self) -> bool:
        """Whether what stands in it is no filter."""
        return bool(self.query_one("#filter-wrong").display)

    @property
    def input(self) -> Input:
        """What is typed into."""
        return self.query_one("#filter", Input)

    def ask(self, pane: str, text: str, fields: Sequence[str]) -> None:
        """Ask for a filter of this pane, which has these fields, beginning with what it is now."""
        self.say_what_is_wrong("")
        prompt = f" filter {pane}: "
        self.query_one("#filter-of", Static).update(Content(prompt))
        self._hint = f"enter keeps it, esc clears it; words, !not, {', '.join(f'{field}:' for field in fields)}"
        self._room_taken = len(prompt) + 1
        self._show_hint()
        self.input.value = text
        self.display = True
        self.screen.set_focus(self.input)

    def _show_hint(self) -> None:
        room = max(self.screen.size.width - self._room_taken, 0)
        self.input.placeholder = fit(self._hint, room).rstrip()

    def on_resize(self) -> None:
        """Cut the hint to what there is room for."""
        self._show_hint()

    def say_what_is_wrong(self, why: str) -> None:
        """Say why it is no filter; nothing if it is one."""
        line = self.query_one("#filter-wrong", Static)
        line.update(Content(clean(why)))
        line.display = bool(why)

    def close(self) -> None:
        """Ask no more."""
        self.say_what_is_wrong("")
        self.display = False
