"""A widget with a frame around it, and words in the frame that may change in every frame of the screen.

Textual paints a whole widget anew whenever its border title is set, even to the same words: every line that is seen,
and those beneath its children. A title of ours costs the two lines of the frame it stands in, and nothing while it
stays. Mostly it is a number that has changed, and the line is as before but for these words: to have Textual make it
would take ten times as long as to put them in.
"""

from typing import Any, Self

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from ..drawing import Drawing


class Framed(Widget):
    """A widget whose border has a title and a subtitle."""

    _labels = ("", "")
    _only_the_frame = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        # The lines of the frame that were drawn: how wide, the words in them, and as written to the terminal.
        self._drawn_frame: dict[int, tuple[int, str, str]] = {}

    def label(self, title: str, subtitle: str = "") -> None:
        """Put clean text into the frame: a title at the top, a subtitle at the bottom."""
        before, self._labels = self._labels, (title, subtitle)
        if self._labels == before:
            return
        self._only_the_frame = True
        try:
            if title != before[0]:
                self.border_title = Content(title)
                self._repaint_frame(0, title)
            if subtitle != before[1]:
                self.border_subtitle = Content(subtitle)
                self._repaint_frame(self.outer_size.height - 1, subtitle)
        finally:
            self._only_the_frame = False

    def _repaint_frame(self, at: int, words: str) -> None:
        """Have a line of the frame painted, in which there are these words."""
        left, top = self.content_offset
        row = Region(-left, at - top, self.outer_size.width, 1)
        frame = Drawing.now
        place = None if frame is None else frame.place_of(self)
        if frame is None or place is None:
            super().refresh(row)
            return
        self._set_dirty(row)
        width, before, commands = self._drawn_frame.get(at, (0, "", ""))
        # Textual puts a blank before and after them: no command to the terminal has one.
        before, now = f" {before} ", f" {words} "
        if width == row.width and cell_len(before) == cell_len(now) and commands.count(before) == 1:
            commands = commands.replace(before, now)
        else:
            (strip,) = Widget.render_lines(self, Region(0, at, row.width, 1))
            commands = strip.render(self.app.console)
        self._drawn_frame[at] = row.width, words, commands
        frame.put(place.region.x, place.region.y + at, commands)

    def notify_style_update(self) -> None:
        """Draw the frame anew in other colours."""
        super().notify_style_update()
        self._drawn_frame.clear()

    def refresh(self, *regions: Region, **options: Any) -> Self:
        """Have the whole widget painted, or these regions of its content; nothing yet while a title is being set."""
        return self if self._only_the_frame else super().refresh(*regions, **options)
