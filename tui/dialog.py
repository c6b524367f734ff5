"""What all dialogs have in common: they have the keys as soon as they are there."""

from typing import Generic, TypeVar

from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widget import Widget

from .bindings import bound
from .frames import Patience
from .keys import BY_ID

Answer = TypeVar("Answer")


def closing(key: str, action: str) -> Binding:
    """Return a binding that closes a dialog. It has priority, so that the next key, typed fast, is the view's again.

    A key that is an id of the keymap is what the user has made of it.
    """
    if key in BY_ID:
        return bound(key, action, priority=True)
    return Binding(key, action, show=False, priority=True)


class Dialog(ModalScreen[Answer], Patience, Generic[Answer]):
    """A question, or something to read, on top of a view. Subclasses say what is in it."""

    def first(self) -> Widget:
        """Return what has the keys first."""
        return self.focus_chain[0]

    def on_mount(self) -> None:
        """Take the keys now: by Textual's own focus, what was typed fast would come before it, and be lost."""
        self.set_focus(self.first())
