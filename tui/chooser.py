"""Asks which of several links to follow: a list, with a key for each."""

from collections.abc import Sequence
from string import ascii_lowercase, digits
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from .dialog import Dialog
from .links import Link, Thing
from .text import clean

#: The keys of the links, in their order. What moves in a list, or leaves it, is left out.
KEYS = digits[1:] + "".join(letter for letter in ascii_lowercase if letter not in "gjkq")


class Chooser(Dialog[Thing | None]):
    """Asks where to go. None: nowhere.

    Args:
        title: what the links are of, in clean text.
        links: the links, each with the name of the view it leads to; empty where it leads to none.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,backspace", "dismiss(None)", "Stay here"),
        Binding("j", "move('down')", show=False),
        Binding("k", "move('up')", show=False),
    ]

    def __init__(self, title: str, links: Sequence[tuple[Link, str]]) -> None:
        super().__init__()
        self._title = title
        self._links = links

    def compose(self) -> ComposeResult:
        """Ask."""
        with Vertical(classes="dialog chooser") as dialog:
            dialog.border_title = Content(self._title)
            dialog.border_subtitle = "esc stays here"
            yield OptionList(*(Option(_line(at, link, view)) for at, (link, view) in enumerate(self._links)))

    def action_move(self, direction: str) -> None:
        """Move in the list."""
        getattr(self.query_one(OptionList), f"action_cursor_{direction}")()

    def on_key(self, event: Key) -> None:
        """Follow the link whose key was pressed."""
        at = KEYS.find(event.character) if event.character else -1
        if 0 <= at < len(self._links):
            event.stop()
            self.dismiss(self._links[at][0].thing)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Follow the link under the cursor."""
        self.dismiss(self._links[event.option_index][0].thing)


def _line(at: int, link: Link, view: str) -> Content:
    key = KEYS[at] if at < len(KEYS) else " "
    thing = clean(str(link.thing))
    if link.role.endswith(f" {link.thing.kind}"):
        thing = thing.removeprefix(f"{link.thing.kind} ")
    parts: list[str | tuple[str, str]] = [(f" {key} ", "bold $accent"), f"{link.role:<16}", (thing, "bold")]
    if link.says:
        parts.append(f"  {link.says}")
    if view:
        parts.append((f"  › {view}", "$foreground 60%"))
    return Content.assemble(*parts)
