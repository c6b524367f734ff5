"""A table of any number of rows, of which only the visible ones cost anything.

The rows are given anew as often as one likes (`VirtualTable.show`); they are records, and a cell is worked out from
its record only when it is seen. The cursor belongs to an item, not to a place: when rows come and go it stays with it.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual.binding import BindingType
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from echotui.server.value import value

from ..bindings import bound
from .lines import Line, LiveLines, Piece, fit
from .wrapping import wrapped

Row = TypeVar("Row")

#: Rows the mouse wheel moves.
WHEEL = 3

#: Cells between two columns.
GAP = 2

#: How many columns of a row are worked out at once: see `LiveLines.lines_and_breaks`.
AT_ONCE = 3


@value
class Column(Generic[Row]):
    """One column of a table."""

    title: str
    width: int
    """In cells; the one column with width 0 takes what the others leave, if that is at least `least`."""
    cell: Callable[[Row], Piece | str]
    """What to show of a row: clean text, or text with the name of a style."""
    right: bool = False
    """Whether it is aligned to the right, as numbers are."""
    rank: int = 0
    """The higher, the sooner it is left out where there is no room for all."""
    order: Callable[[Row], Any] | None = None
    """What to sort by; None where the column cannot be sorted by."""
    least: int = 10
    """For the column with width 0: how many cells it should have before others are left out."""
    field: str = ""
    """What a filter calls it, if not as its title does."""


def text_of(column: Column[Row], row: Row) -> str:
    """Return the whole text of a cell, however much of it there is room for."""
    cell = column.cell(row)
    return cell if isinstance(cell, str) else cell[0]


class VirtualTable(LiveLines, Generic[Row], can_focus=True):
    """A table with a cursor.

    Args:
        columns: the columns, from left to right.
        key: what makes a row the same row in the next frame.
        empty: what to say where there are no rows.
        follows: whether the cursor keeps to the last row as long as it is there.
        titles: whether there is a line with the titles of the columns.
        across: for a row that has one thing to say, what: it stands in the place of all but its first three columns.
        lasting: whether a row always says what it has said at first, so that it need not be asked again.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("table.up", "move(-1)"),
        bound("table.down", "move(1)"),
        bound("table.page_up", "page(-1)"),
        bound("table.page_down", "page(1)"),
        bound("table.first", "edge(-1)"),
        bound("table.last", "edge(1)"),
    ]

    class Moved(Message):
        """The cursor is on another row, or on none."""

        def __init__(self, table: "VirtualTable[Any]") -> None:
            self.table = table
            super().__init__()

        @property
        def control(self) -> "VirtualTable[Any]":
            """The table whose cursor has moved."""
            return self.table

    class Chosen(Moved):
        """The row under the cursor was clicked twice."""

    class TitleClicked(Moved):
        """A column's title was clicked."""

        def __init__(self, table: "VirtualTable[Any]", column: str) -> None:
            self.column = column
            super().__init__(table)

    def __init__(  # noqa: PLR0913 - what makes one table differ from another
        self,
        columns: Sequence[Column[Row]],
        key: Callable[[Row], Hashable],
        *,
        empty: str,
        follows: bool = False,
        id: str | None = None,
        titles: bool = True,
        across: Callable[[Row], Piece | None] = lambda _: None,
        lasting: bool = False,
    ) -> None:
        super().__init__(id=id)
        self.columns = columns
        self.empty = empty
        self.follows = follows
        """Whether the cursor keeps to the last row now."""
        self.mark: tuple[str, bool] | None = None
        """The title of the column the rows are sorted by, and whether it is downwards; only a mark is shown."""
        self._can_follow = follows
        self._key = key
        self._titles = titles
        self._across = across
        self._lasting = lasting
        self._rows: Sequence[Row] = ()
        self._cursor: Hashable = None
        self._remembered: Hashable = None
        self._at = 0
        self._top = 0
        self._layout_for = -1
        self._fits = False
        self._visible: list[tuple[Column[Row], int]] = []

    # -- rows and cursor --------------------------------------------------------------------------------------

    @property
    def rows(self) -> Sequence[Row]:
        """The rows there are."""
        return self._rows

    @property
    def selected(self) -> Row | None:
        """The row under the cursor, if there are any."""
        return self._rows[self._at] if self._at < len(self._rows) else None

    @property
    def window(self) -> tuple[int, int]:
        """The numbers of the first and the last row to be seen, from 1; (0, 0) where there are none."""
        if not self._rows:
            return 0, 0
        return self._top + 1, min(self._top + self._height, len(self._rows))

    def show(self, rows: Sequence[Row]) -> None:
        """Take these rows from now on, and paint what has changed. The cursor stays with its item."""
        for _ in self.showing(rows):
            pass

    def showing(self, rows: Sequence[Row]) -> Iterator[None]:
        """Do as `show` does, a row at a time."""
        self._rows = rows
        self._find_cursor()
        yield from self.steps()

    @property
    def cursor(self) -> Hashable:
        """The key of the row under the cursor; None if there is none."""
        return self._cursor

    def shows(self, column: Column[Row]) -> bool:
        """Return whether there is room for a column."""
        return any(column is visible for visible, _ in self._visible)

    def select(self, key: Hashable) -> bool:
        """Put the cursor on the row with this key; return whether there is one."""
        for at, row in enumerate(self._rows):
            if self._key(row) == key:
                self._move_to(at)
                return True
        return False

    def remember(self) -> None:
        """Keep in mind which row the cursor is on, until somebody moves it: rows may be about to go for a while."""
        if self._remembered is None:
            self._remembered = self._cursor

    def recall(self) -> None:
        """Put the cursor back on the row that was kept in mind, unless somebody has moved it, or it follows."""
        key, self._remembered = self._remembered, None
        if key not in (None, self._cursor) and not self.follows:
            self.select(key)

    def step(self, rows: int) -> None:
        """Move the cursor by so many rows; after the last comes the first again."""
        if self._rows:
            self._move_to((self._at + rows) % len(self._rows))

    def plain(self) -> str:
        """Return the row under the cursor as plain text, whole and with tabs between its cells; nothing without rows.

        Columns without a title are left out where there are titles: they are drawings.
        """
        row = self.selected
        if row is None:
            return ""
        cells = [text_of(column, row) for column in self.columns if column.title or not self._titles]
        across = self._across(row)
        return "\t".join([*cells[:3], across[0]] if across else cells)

    def _find_cursor(self) -> None:
        rows = self._rows
        last = len(rows) - 1
        if last < 0:
            self._at, self._top = 0, 0
            moved, self._cursor = self._cursor is not None, None
        else:
            if self.follows:
                self._at = last
            elif self._cursor is not None and not (self._at <= last and self._key(rows[self._at]) == self._cursor):
                keys = map(self._key, rows)
                self._at = next((at for at, key in enumerate(keys) if key == self._cursor), min(self._at, last))
            self._at = min(self._at, last)
            now = self._key(rows[self._at])
            moved, self._cursor = now != self._cursor, now
        self._scroll_to_cursor()
        if moved:
            self.post_message(self.Moved(self))

    def _scroll_to_cursor(self) -> None:
        height = self._height
        self._top = max(min(self._top, self._at, len(self._rows) - 1), self._at - height + 1, 0)
        self._top = min(self._top, max(len(self._rows) - height, 0))

    def _move_to(self, at: int) -> None:
        if not self._rows:
            return
        self._remembered = None
        self._at = max(0, min(at, len(self._rows) - 1))
        self.follows = self._can_follow and self._at == len(self._rows) - 1
        self._cursor = self._key(self._rows[self._at])
        self._scroll_to_cursor()
        self.post_message(self.Moved(self))
        self.repaint()

    @property
    def _height(self) -> int:
        return max(self.content_size.height - self._titles, 1)

    # -- keys and mouse ---------------------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        """Move the cursor by so many rows."""
        self._move_to(self._at + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by so many pages."""
        self._move_to(self._at + pages * self._height)

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or the last row."""
        self._move_to(0 if direction < 0 else len(self._rows) - 1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move upwards."""
        event.stop()
        self._move_to(self._at - WHEEL)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move downwards."""
        event.stop()
        self._move_to(self._at + WHEEL)

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is; on a title, tell which."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if self._titles and offset.y == 0:
            x = GAP
            for column, width in self._visible:
                if x <= offset.x < x + width:
                    self.post_message(self.TitleClicked(self, column.title))
                x += width + GAP
        elif (at := self._top + offset.y - self._titles) < len(self._rows):
            self._move_to(at)
            if event.chain == 2:
                self.post_message(self.Chosen(self))

    # -- drawing ----------------------------------------------------------------------------------------------

    def lines(self, width: int, height: int) -> Iterator[Line]:
        """Yield the titles, and the rows that are visible."""
        return (line for line in self.lines_and_breaks(width, height) if line is not None)

    def lines_and_breaks(self, width: int, height: int) -> Iterator[Line | None]:  # noqa: ARG002 - a table knows how high it is
        """Yield the same, some columns at a time."""
        if width != self._layout_for:
            self._layout_for = width
            self._visible = _widths(self.columns, width - GAP)
            self._fits = sum(GAP + room for _, room in self._visible) == width
        self._scroll_to_cursor()
        if self._titles:
            yield self._title_line(width)
        if not self._rows:
            for pieces in wrapped([("  ", ""), (self.empty, "dim")], width):
                yield self.line(pieces, width)
        for at in range(self._top, min(self._top + self._height, len(self._rows))):
            yield from self._row_line(at, width)

    def _title_line(self, width: int) -> Line:
        pieces: list[Piece] = []
        for column, room in self._visible:
            title = column.title
            if self.mark is not None and self.mark[0] == title:
                title += "▾" if self.mark[1] else "▴"
            pieces.append((" " * GAP + fit(title, room, right=column.right), "head"))
        return self.line(pieces, width)

    def _row_line(self, at: int, width: int) -> Iterator[Line | None]:
        row, here = self._rows[at], at == self._at
        known_by = ("row", self._key(row), here, width) if self._lasting else None
        if known_by is not None and (known := self._made.get(known_by)) is not None:
            yield known
            return
        across = self._across(row)
        pieces: list[Piece] = []
        gap = "▸ " if here else "  "
        for column, room in self._visible[:3] if across else self._visible:
            cell = column.cell(row)
            text, name = (cell, "") if isinstance(cell, str) else cell
            pieces.append((gap + fit(text, room, right=column.right), name))
            gap = " " * GAP
            if len(pieces) % AT_ONCE == 0:
                yield None
        if across:
            pieces.append((gap + across[0], across[1]))
        line = self.line(pieces, width, "cursor" if here else "", fits=self._fits and not across)
        if known_by is not None:
            self._made.put(known_by, line)
        yield line


def _widths(columns: Sequence[Column[Row]], room: int) -> list[tuple[Column[Row], int]]:
    """Return the columns there is room for, with their widths; those of the highest rank go first."""
    kept = list(columns)
    while True:
        fixed = sum(column.width for column in kept) + GAP * (len(kept) - 1)
        flexible = [column for column in kept if not column.width]
        least = sum(column.least for column in flexible)
        if fixed + least <= room or len(kept) == 1:
            break
        droppable = max(reversed(kept), key=lambda column: column.rank)
        if not droppable.rank:
            break
        kept.remove(droppable)
    rest = max(room - fixed, 0)
    return [(column, column.width or rest // len(flexible)) for column in kept]
