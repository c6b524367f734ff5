"""All there is to say of one thing, in lines that may be more than fit: it scrolls, and says what is not to be seen."""

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.events import MouseScrollDown, MouseScrollUp

from ..bindings import bound
from .lines import Line, LiveLines, Piece
from .wrapping import wrapped

#: Lines the mouse wheel moves.
WHEEL = 3

#: How wide a copy is, in cells: what is wrapped in a small pane is not, in it.
COPIED_WIDTH = 200


class Detail(LiveLines, can_focus=True):
    """Lines about one thing, its `subject`. Another subject is shown from its first line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("table.up", "move(-1)"),
        bound("table.down", "move(1)"),
        bound("table.page_up", "page(-1)"),
        bound("table.page_down", "page(1)"),
        bound("table.first", "edge(-1)"),
        bound("table.last", "edge(1)"),
    ]

    _top = 0
    _subject: Hashable = None
    _count = 0

    def title(self) -> str:
        """Return what stands in the frame."""
        raise NotImplementedError

    def subject(self) -> Hashable:
        """Return what makes the thing that is talked about the same one in the next frame; None for nothing."""
        raise NotImplementedError

    def said(self, width: int) -> Sequence[Sequence[Piece]]:
        """Return every line there is to say, for a pane that is `width` cells wide; longer ones will be wrapped."""
        raise NotImplementedError

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Return the lines that are to be seen now, and tell in the frame which of them these are."""
        if self.subject() != self._subject:
            self._subject, self._top = self.subject(), 0
        said = [line for pieces in self.said(width) for line in wrapped(pieces, width)]
        self._count = len(said)
        self._top = max(0, min(self._top, self._count - height))
        last = self._top + height
        cut = f"{self._top + 1}–{min(last, self._count)} of {self._count} lines" if self._count > height else ""
        self.label(self.title(), cut)
        return [self.line(pieces, width) for pieces in said[self._top : last]]

    def plain(self) -> str:
        """Return every line as plain text, also what there is no room for; nothing where there is no subject."""
        if self.subject() is None:
            return ""
        lines = ("".join(text for text, _ in pieces).rstrip() for pieces in self.said(COPIED_WIDTH))
        return "\n".join(lines)

    def action_move(self, lines: int) -> None:
        """Scroll by so many lines."""
        self._top = max(0, min(self._top + lines, self._count - self.content_size.height))
        self.repaint()

    def action_page(self, pages: int) -> None:
        """Scroll by so many pages."""
        self.action_move(pages * self.content_size.height)

    def action_edge(self, direction: int) -> None:
        """Scroll to the first or the last line."""
        self.action_move(direction * self._count)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Scroll upwards."""
        event.stop()
        self.action_move(-WHEEL)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Scroll downwards."""
        event.stop()
        self.action_move(WHEEL)
