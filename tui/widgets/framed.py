"""A widget with a frame around it, and words in the frame that may change in every frame of the screen.

Textual paints a whole widget anew whenever its border title is set, even to the same words: every line that is seen,
and those beneath its children. A title of ours costs the two lines of the frame it stands in, and nothing while it
stays.
"""

from typing import Any, Self

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from ..drawing import Drawing


class Framed(Widget):
    """A widget whose border has a title and a subtitle."""

    _labels = ("", "")
    _only_the_frame = False

    def label(self, title: str, subtitle: str = "") -> None:
        """Put clean text into the frame: a title at the top, a subtitle at the bottom."""
        before, self._labels = self._labels, (title, subtitle)
        if self._labels == before:
            return
        self._only_the_frame = True
        try:
            if title != before[0]:
                self.border_title = Content(title)
                self._repaint_frame(-self.content_offset.y)
            if subtitle != before[1]:
                self.border_subtitle = Content(subtitle)
                self._repaint_frame(self.outer_size.height - 1 - self.content_offset.y)
        finally:
            self._only_the_frame = False

    def _repaint_frame(self, y: int) -> None:
        """Have a line of the frame painted."""
        row = Region(-self.content_offset.x, y, self.outer_size.width, 1)
        frame = Drawing.now
        place = None if frame is None else frame.place_of(self)
        if frame is None or place is None:
            super().refresh(row)
            return
        self._set_dirty(row)
        at = y + self.content_offset.y
        (strip,) = Widget.render_lines(self, Region(0, at, row.width, 1))
        frame.put(place.region.x, place.region.y + at, strip.render(self.app.console))

    def refresh(self, *regions: Region, **options: Any) -> Self:
        """Have the whole widget painted, or these regions of its content; nothing yet while a title is being set."""
        return self if self._only_the_frame else super().refresh(*regions, **options)
