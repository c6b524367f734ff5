"""A widget that is a list of lines, and repaints only those that have changed.

All live widgets are made of this: on a frame they work out the lines that are visible, and a line that is the same as
before costs nothing further. Text that comes in here is clean already, see ``text.py``; it is never markup.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from ..drawing import Drawing
from .framed import Framed
from .recent import Recent

#: A piece of a line: text, and the name of its style ("" for plain). The names are `LiveLines.COMPONENT_CLASSES`.
Piece = tuple[str, str]

#: For each line of its height, how many lines of a widget are kept to be drawn again, twice: see `Recent`.
MADE_KEPT = 4


class Line:
    """A line of a widget. What is made of it for the terminal, and for Textual, is kept with it."""

    __slots__ = ("commands", "framed", "made_of", "over", "pieces", "strip")

    def __init__(self, pieces: Sequence[Piece], over: str, made_of: tuple[object, ...]) -> None:
        self.pieces = pieces
        """Exactly as wide as the widget."""
        self.over = over
        self.made_of = made_of
        """What makes it look as it does."""
        self.commands: str | None = None
        self.strip: Strip | None = None
        self.framed: Strip | None = None

    @property
    def text(self) -> str:
        """What it says."""
        return "".join(text for text, _ in self.pieces)


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
        self._lines: list[Line] = []
        self._width = 0
        self._repaints = 0
        self._made = Recent[Line](MADE_KEPT)
        self._styles: dict[tuple[str, str], Style] = {}
        self._commands: dict[tuple[str, str], tuple[str, str]] = {}
        self._frame: dict[int, Strip] = {}
        self._edges: tuple[list[Segment], list[Segment]] | None = None

    def lines(self, width: int, height: int) -> Iterable[Line]:
        """Return what is to be seen now: at most `height` lines. Called once a frame; make it cheap."""
        raise NotImplementedError

    def lines_and_breaks(self, width: int, height: int) -> Iterable[Line | None]:
        """Return the same, with None where something else may be done before the next line, which takes long."""
        return self.lines(width, height)

    def repaint(self) -> None:
        """Work the lines out, and have those painted that differ from what is on the screen."""
        for _ in self.steps():
            pass

    def steps(self) -> Iterator[None]:
        """Do as `repaint` does, a line at a time; what is left of it is not done if somebody else does it meanwhile."""
        self._repaints = this = self._repaints + 1
        width, height = self.content_size
        if not width or not height:
            return
        if width != self._width or height != len(self._lines):
            self._work_out(width, height)
            self.refresh()
            return
        changed, y = [], -1
        for line in self._filled(width, height):
            if line is not None:
                y += 1
                before, self._lines[y] = self._lines[y], line
                if line is not before and line.made_of != before.made_of and not self._bring(y, line):
                    changed.append(y)
            yield
            if self._repaints != this:
                break
        if changed:
            # With the edges beside them: Textual brings whole lines to the terminal at half the cost of a part.
            left, outer = self.content_offset.x, self.outer_size.width
            self.refresh(*[Region(-left, y, outer, 1) for y in changed])

    def _bring(self, y: int, line: Line) -> bool:
        """Bring a line to the terminal if that can be done at once; return whether it could."""
        frame = Drawing.now
        place = None if frame is None else frame.place_of(self)
        if frame is None or place is None:
            return False
        x, top = place.content
        frame.put(x, top + y, line.commands or self._put_into_commands(line))
        return True

    def _filled(self, width: int, height: int) -> Iterator[Line | None]:
        """Yield as many lines as there is room for, and None as `lines_and_breaks` does."""
        left = height
        for line in self.lines_and_breaks(width, height):
            if line is not None:
                if not left:
                    return
                left -= 1
            yield line
        for _ in range(left):
            yield self.line((), width)

    def _work_out(self, width: int, height: int) -> None:
        self._made.kept = MADE_KEPT * height
        self._lines = [line for line in self._filled(width, height) if line is not None]
        self._width = width

    def on_resize(self) -> None:
        """Fit the lines to the new size at once."""
        self._lines = []
        self.repaint()

    def notify_style_update(self) -> None:
        """Paint anew in the colours of another theme, or as the widget that has the focus now."""
        super().notify_style_update()
        self._repaints += 1
        self._lines, self._made, self._styles, self._commands, self._edges = [], Recent(MADE_KEPT), {}, {}, None

    def refresh(self, *regions: Region, **options: Any) -> Self:
        """Have these lines painted, or everything, with its frame."""
        if not regions:
            self._frame = {}
        return super().refresh(*regions, **options)

    def _repaint_frame(self, at: int, words: str) -> None:
        self._frame = {}
        super()._repaint_frame(at, words)

    # -- lines ------------------------------------------------------------------------------------------------

    def line(self, pieces: Sequence[Piece], width: int, over: str = "", *, fits: bool = False) -> Line:
        """Return a line of exactly `width` cells made of these pieces, cut with an ellipsis where they are longer.

        A style `over` the pieces' own, such as the cursor's, takes their colours away. Pieces that are known to come to
        `width` need not be measured. Most lines are the same as in the frame before, and are not made again.
        """
        made_of = (*pieces, width, over)
        made = self._made.get(made_of)
        if made is None:
            joined = _joined(pieces)
            made = Line(joined if fits else _fitted(joined, width), over, made_of)
            self._made.put(made_of, made)
        return made

    def _put_into_commands(self, line: Line) -> str:
        """Return a line as it is written to the terminal."""
        over, known = line.over, self._commands
        parts: list[str] = []
        for text, name in line.pieces:
            around = known.get((name, over))
            if around is None:
                around = known[name, over] = self._find_commands(self.style(name, over))
            parts += around[0], text, around[1]
        line.commands = "".join(parts)
        return line.commands

    def _find_commands(self, style: Style) -> tuple[str, str]:
        before, _, after = Strip([Segment("x", style)]).render(self.app.console).partition("x")
        return before, after

    def _put_into_strip(self, line: Line) -> Strip:
        """Return a line as Textual has it."""
        line.strip = Strip([Segment(text, self.style(name, line.over)) for text, name in line.pieces], self._width)
        return line.strip

    def style(self, name: str, over: str = "") -> Style:
        """Return the style of this name, "" for plain, on the widget's own background, in the terminal's colours."""
        style = self._styles.get((name, over))
        if style is None:
            if over:
                style = self.style(name) + self.style(over)
            else:
                style = self.get_component_rich_style(f"lines--{name}") if name else self.rich_style
                for one in self.get_line_filters():
                    ((_, filtered, _),) = one.apply([Segment(" ", style)], self.background_colors[1])
                    style = filtered or style
            self._styles[name, over] = style
        return style

    # -- when Textual composes --------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Return a line that was worked out by `repaint`."""
        if not self._lines and self.content_size:
            self._work_out(*self.content_size)
            # A title that `lines` has put into the frame comes too late for what is being painted now.
            self.call_later(self.refresh)
        if y >= len(self._lines):
            return Strip.blank(self.content_size.width, self.style(""))
        line = self._lines[y]
        return line.strip or self._put_into_strip(line)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return lines with their frame, as Textual asks for all of them whenever one has changed.

        What Textual does to each line that was worked out anew (border, padding, opacity, tint, filters for the
        terminal's colours) comes to the same for all of ours: two edges, which are looked up, and the styles.
        """
        width, lines = self.outer_size.width, self._lines
        if crop.x or crop.width != width or not lines or self._width != self.content_size.width:
            return super().render_lines(crop)  # a part of it, or on the way to another size
        top = self.content_offset.y
        framed = []
        for y in crop.line_range:
            if top <= y < top + len(lines):
                line = lines[y - top]
                framed.append(line.framed or self._put_into_frame(line, width))
            else:
                row = self._frame.get(y)
                if row is None:
                    (row,) = super().render_lines(Region(0, y, width, 1))
                    self._frame[y] = row
                framed.append(row)
        return framed

    def _put_into_frame(self, line: Line, width: int) -> Strip:
        if self._edges is None:
            # A line as Textual draws it shows what stands beside all of them.
            at, top = self.content_offset
            (drawn,) = super().render_lines(Region(0, top, width, 1))
            self._edges = [*drawn.crop(0, at)], [*drawn.crop(at + self._width, width)]
        before, after = self._edges
        strip = line.strip or self._put_into_strip(line)
        line.framed = Strip([*before, *strip, *after], width) if before or after else strip
        return line.framed


def cells(text: str) -> int:
    """Return how many cells clean text takes."""
    return len(text) if text.isascii() else cell_len(text)


def _joined(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """Return the pieces, neighbours of one style made one: each costs the terminal's commands for its style."""
    joined: list[Piece] = []
    last = None
    for piece in pieces:
        text, name = piece
        if name == last:
            joined[-1] = joined[-1][0] + text, name
        else:
            joined.append(piece)
            last = name
    return joined


def _fitted(pieces: Sequence[Piece], width: int) -> Sequence[Piece]:
    """Return the pieces as one line of exactly `width` cells."""
    lengths = [cells(text) for text, _ in pieces]
    if sum(lengths) == width:
        return pieces
    fitted: list[Piece] = []
    left = width
    for at, ((text, name), length) in enumerate(zip(pieces, lengths, strict=True)):
        shown = text
        if length >= left:
            all_fits = not any(more.strip() for more, _ in pieces[at + 1 :]) and cells(text.rstrip()) <= left
            shown = set_cell_size(text, left) if all_fits else f"{set_cell_size(text, left - 1)}…"
        if shown:
            fitted.append((shown, name))
        left = max(left - length, 0)
        if not left:
            return fitted
    return [*fitted, (" " * left, "")]


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return text that is exactly `width` cells wide: padded, or cut with an ellipsis."""
    length = cells(text)
    if length == width:
        return text
    if length < width:
        pad = " " * (width - length)
        return pad + text if right else text + pad
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""
