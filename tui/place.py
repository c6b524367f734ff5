"""A line of the program, with the lines around it."""

import tokenize
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from echotui.server.observe.places import Place

from .dialog import Dialog, closing
from .text import clean, shortened

#: How many lines are shown before and after it.
AROUND = 8


class SourceLines(Dialog[None]):
    """Shows a place of the program, as its file is now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        closing("escape", "dismiss"),
        # What opened it closes it, what goes back along the links goes back, and what leaves leaves it first.
        closing("table.choose", "dismiss"),
        closing("view.return", "dismiss"),
        closing("app.quit", "dismiss"),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def compose(self) -> ComposeResult:
        """Show."""
        place = self._place
        with VerticalScroll(classes="dialog source") as dialog:
            dialog.border_title = Content(shortened(clean(f"{place.file}:{place.line}")))
            dialog.border_subtitle = "esc goes back"
            yield Static(Content(f"in {clean(place.function)}"), classes="notes")
            try:
                lines = [*_around(place)]
            except (OSError, SyntaxError, UnicodeError) as error:
                yield Static(Content(clean(f"its source cannot be read: {error}")))
                return
            for number, text in lines:
                style = "bold $accent" if number == place.line else ""
                mark = "▸" if number == place.line else " "
                yield Static(Content.styled(f"{mark}{number:>5}  {clean(text)}", style), classes="line")


def _around(place: Place) -> Iterator[tuple[int, str]]:
    """Yield the lines around a place, each with its number.

    Raises:
        OSError: if there is no such file, as for code that was made at run time.
        SyntaxError: if its encoding is not known.
        UnicodeError: if it is not in that encoding.
    """
    first = max(place.line - AROUND, 1)
    with tokenize.open(place.file) as file:
        for number, text in enumerate(islice(file, first - 1, place.line + AROUND), first):
            yield number, text.rstrip("\n").expandtabs()
