"""A widget that is a list of lines, and repaints only those that have changed.

All live widgets are made of this: on a frame they work out the lines that are visible, and a line that is the same as
before costs nothing further. Text that comes in here is clean already, see ``text.py``; it is never markup.
"""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from .framed import Framed

#: A piece of a line: text, and the name of its style ("" for plain). The names are `LiveLines.COMPONENT_CLASSES`.
Piece = tuple[str, str]

#: How many lines of a widget are kept, to be drawn again.
MADE_KEPT = 500


class LiveLines(Framed):
    """Lines that are worked out anew on every frame. Subclasses say what they are in `lines`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "lines--accent",
        "lines--alarm",
        "lines--cursor",
        "lines--dim",
        "lines--good",
        "lines--head",
        "lines--warn",
    }

    DEFAULT_CSS = """
    LiveLines {
        .lines--accent { color: $accent; text-style: bold; }
        .lines--alarm { color: $text-error; text-style: bold; }
        .lines--cursor { background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground; }
        .lines--dim { color: $foreground 60%; }
        .lines--good { color: $text-success; }
        .lines--head { color: $foreground 60%; text-style: bold; }
        .lines--warn { color: $text-warning; text-style: bold; }
        &:focus .lines--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._strips: list[Strip] = []
        self._styles: dict[str, Style] = {}
        self._made: dict[tuple[object, ...], Strip] = {}

    def lines(self, width: int, height: int) -> Sequence[Strip]:
        """Return what is to be seen now: at most `height` lines. Called once a frame; make it cheap."""
        raise NotImplementedError

    def repaint(self) -> None:
        """Work the lines out, and have those painted that differ from what is on the screen."""
        width, height = self.content_size
        if not width or not height:
            return
        before, now = self._strips, list(self.lines(width, height))
        now += [Strip.blank(width, self.style(""))] * (height - len(now))
        self._strips = now
        if len(before) != len(now):
            self.refresh()
            return
        changed = [Region(0, y, width, 1) for y, (old, new) in enumerate(zip(before, now, strict=True)) if old != new]
        if changed:
            self.refresh(*changed)

    def on_resize(self) -> None:
        """Fit the lines to the new size at once."""
        self._strips = []
        self.repaint()

    def notify_style_update(self) -> None:
        """Paint anew in the colours of another theme, or as the widget that has the focus now."""
        super().notify_style_update()
        self._styles = {}
        self._strips = []
        self._made = {}

    def render_line(self, y: int) -> Strip:
        """Return a line that was worked out by `repaint`."""
        if not self._strips and self.content_size:
            width, height = self.content_size
            self._strips = list(self.lines(width, height))
            # A title that `lines` has put into the frame comes too late for what is being painted now.
            self.call_later(self.refresh)
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.content_size.width, self.style(""))

    def style(self, name: str) -> Style:
        """Return the style of this name, "" for plain, on the widget's own background."""
        style = self._styles.get(name)
        if style is None:
            style = self.get_component_rich_style(f"lines--{name}") if name else self.rich_style
            self._styles[name] = style
        return style

    def strip(self, pieces: Sequence[Piece], width: int, over: str = "") -> Strip:
        """Return a line of exactly `width` cells made of these pieces, cut with an ellipsis where they are longer.

        A style `over` the pieces' own, such as the cursor's, takes their colours away. Most lines are the same as in
        the frame before, and are not made again.
        """
        asked = (*pieces, width, over)
        made = self._made.get(asked)
        if made is None:
            if len(self._made) >= MADE_KEPT:
                self._made.clear()
            made = self._made[asked] = self._make(pieces, width, over)
        return made

    def _make(self, pieces: Sequence[Piece], width: int, over: str) -> Strip:
        segments = []
        left = width
        for at, (text, name) in enumerate(pieces):
            length = cell_len(text)
            shown = text
            if length >= left:
                all_fits = not any(more.strip() for more, _ in pieces[at + 1 :]) and cell_len(text.rstrip()) <= left
                shown = set_cell_size(text, left) if all_fits else f"{set_cell_size(text, left - 1)}…"
            if shown:
                segments.append(Segment(shown, self.style(name) + self.style(over) if over else self.style(name)))
            left = max(left - length, 0)
            if not left:
                break
        if left:
            segments.append(Segment(" " * left, self.style(over)))
        return Strip(segments, width)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return text that is exactly `width` cells wide: padded, or cut with an ellipsis."""
    length = len(text) if text.isascii() else cell_len(text)
    if length == width:
        return text
    if length < width:
        pad = " " * (width - length)
        return pad + text if right else text + pad
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""
