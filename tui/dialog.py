"""What all dialogs have in common: they have the keys as soon as they are there."""

from typing import Generic, TypeVar

from textual.screen import ModalScreen
from textual.widget import Widget

from .frames import Patience

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer], Patience, Generic[Answer]):
    """A question, or something to read, on top of a view. Subclasses say what is in it."""

    def first(self) -> Widget:
        """Return what has the keys first."""
        return self.focus_chain[0]

    def on_mount(self) -> None:
        """Take the keys now: by Textual's own focus, what was typed fast would come before it, and be lost."""
        self.set_focus(self.first())
