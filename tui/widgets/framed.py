"""A widget with a frame around it, and words in the frame that may change in every frame of the screen.

Textual paints a whole widget anew whenever its border title is set, even to the same words: every line that is seen,
and those beneath its children. A title of ours costs the two lines of the frame it stands in, and nothing while it
stays.
"""

from typing import Any, Self

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget


class Framed(Widget):
    """A widget whose border has a title and a subtitle."""

    _labels = ("", "")
    _only_the_frame = False

    def label(self, title: str, subtitle: str = "") -> None:
        """Put clean text into the frame: a title at the top, a subtitle at the bottom."""
        if (title, subtitle) == self._labels:
            return
        self._labels = title, subtitle
        self._only_the_frame = True
        try:
            self.border_title = Content(title)
            self.border_subtitle = Content(subtitle)
        finally:
            self._only_the_frame = False

    def refresh(self, *regions: Region, **options: Any) -> Self:
        """Have the whole widget painted, or these regions of its content; while a title is set, only the frame."""
        if self._only_the_frame and not regions:
            width, height = self.outer_size
            left, top = self.content_offset
            regions = (Region(-left, -top, width, 1), Region(-left, height - 1 - top, width, 1))
        return super().refresh(*regions, **options)
