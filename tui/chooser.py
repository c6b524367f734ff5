"""Asks which of several links to follow: a list, with a key for each."""

from collections.abc import Sequence
from string import ascii_lowercase, digits
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from .bindings import bound, keymap_of
from .dialog import Dialog, closing
from .links import Link, Thing
from .text import clean

#: The keys of the links, in their order. What moves in the list, or leaves it, is left out.
KEYS = digits[1:] + ascii_lowercase

#: What leaves the list, by the ids of the keymap, and what moves in it, and how.
LEAVING = ("app.quit", "view.return")
MOVING = {"table.up": "cursor_up", "table.down": "cursor_down", "table.first": "first", "table.last": "last"}


class Chooser(Dialog[Thing | None]):
    """Asks where to go. None: nowhere.

    Args:
        title: what the links are of, in clean text.
        links: the links, each with the name of the view it leads to; empty where it leads to none.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        closing("escape", "dismiss(None)"),
        *(closing(name, "dismiss(None)") for name in LEAVING),
        *(bound(name, f"move('{direction}')") for name, direction in MOVING.items()),
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
            keys = self._keys().ljust(len(self._links))
            yield OptionList(
                *(Option(_line(key, link, view)) for key, (link, view) in zip(keys, self._links, strict=False))
            )

    def _keys(self) -> str:
        keymap = keymap_of(self)
        taken = {key for name in (*LEAVING, *MOVING) for key in keymap[name]}
        return "".join(key for key in KEYS if key not in taken)

    def action_move(self, direction: str) -> None:
        """Move in the list."""
        getattr(self.query_one(OptionList), f"action_{direction}")()

    def on_key(self, event: Key) -> None:
        """Follow the link whose key was pressed."""
        at = self._keys().find(event.character) if event.character else -1
        if 0 <= at < len(self._links):
            event.stop()
            self.dismiss(self._links[at][0].thing)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Follow the link under the cursor."""
        self.dismiss(self._links[event.option_index][0].thing)


def _line(key: str, link: Link, view: str) -> Content:
    thing = clean(str(link.thing))
    if link.role.endswith(f" {link.thing.kind}"):
        thing = thing.removeprefix(f"{link.thing.kind} ")
    parts: list[str | tuple[str, str]] = [(f" {key} ", "bold $accent"), f"{link.role:<16}", (thing, "bold")]
    if link.says:
        parts.append(f"  {link.says}")
    if view:
        parts.append((f"  › {view}", "$foreground 60%"))
    return Content.assemble(*parts)
