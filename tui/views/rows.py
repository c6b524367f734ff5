"""A pane with a table that can be filtered and sorted. Subclasses say what the rows are."""

from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult

from .. import numbers
from ..filter import Filter, as_field
from ..picture import Picture
from ..text import clean
from ..widgets.table import Column, VirtualTable, text_of
from .linked import Linked

Row = TypeVar("Row")

#: From how many rows on they are filtered and sorted at most once a second.
MANY = 1_000

#: How many of them are looked into, by a filter, before others may have the loop: it takes a fifth of a millisecond.
A_FEW = 32

#: What a pane says that is empty because of its filter.
NOTHING_MATCHES = "nothing matches the filter; esc clears it"


class RowsPane(Linked, Generic[Row]):
    """A titled table over the rows of a picture.

    Args:
        table: the table. Its first sortable column is what the rows come sorted by.
    """

    fields: ClassVar[tuple[str, ...]]
    """What a filter can ask for by name; it can ask for every column with a title, too."""
    chosen_by: ClassVar[tuple[str, ...]] = ("filter",)
    changes_always: ClassVar[bool] = False
    """Whether the rows are others in nearly every frame; where there are many they are worked out once a second."""
    table: VirtualTable[Row]
    nothing_matches = NOTHING_MATCHES

    def __init__(self, picture: Picture, table: VirtualTable[Row], *, id: str) -> None:
        super().__init__(id=id)
        self.picture = picture
        self.table = table
        self.filter = Filter("", ())
        self._by_field = {column.field or as_field(column.title): column for column in table.columns if column.title}
        self._sortable = [column for column in table.columns if column.order is not None]
        self._sorted_by = 0
        self._downwards = True
        self._rows: Sequence[Row] = ()
        self._filtered_by = self.filter
        self._looked_into = 0
        self._asked: object = None
        self._at_work: object = None
        """What somebody is working out just now."""
        self._changes: object = None
        self._rows_at = 0.0

    @property
    def askable(self) -> Sequence[str]:
        """What a filter can ask for by name."""
        return [*dict.fromkeys((*self.fields, *self._by_field))]

    @abstractmethod
    def all_rows(self) -> Sequence[Row]:
        """Return the rows as they come, the newest first, in a sequence that stays as it is."""

    @abstractmethod
    def changes(self) -> object:
        """Return something that is another one whenever `all_rows` is."""

    @abstractmethod
    def fields_of(self, row: Row) -> Mapping[str, str]:
        """Return what the words of a filter look into, by name: what the columns show, and nothing that none does."""

    def unseen_of(self, row: Row) -> Mapping[str, str]:  # noqa: ARG002 - mostly there is nothing
        """Return what a filter looks into only where it names it, because no column shows it."""
        return {}

    @abstractmethod
    def title(self) -> str:
        """Return what stands in the border."""

    @abstractmethod
    def why_empty(self) -> str:
        """Return what to say where there are no rows, and no filter is to blame."""

    def compose(self) -> ComposeResult:
        """Yield the table."""
        yield self.table

    def steps(self) -> Iterator[None]:
        """Draw what is true now, a row at a time."""
        yield from self.work_out()
        by = self._filtered_by
        self.table.empty = self.nothing_matches if by else self.why_empty()
        yield from self.table.showing(self._rows)
        chosen = f" · filter: {clean(by.text)}" if by else ""
        first, last = self.table.window
        shown = f"{first}–{last} of {numbers.count(len(self._rows))}" if self._rows else ""
        self.label(self.title() + chosen, shown)
        yield

    def on_resize(self) -> None:
        """Say at once how many rows are to be seen now."""
        self.call_after_refresh(self.repaint)

    def widen(self) -> None:
        """Show all rows, and those that have come just now as well."""
        self.filter = Filter("", ())
        self._asked = None

    def sort(self, step: int) -> None:
        """Sort by the next column that can be sorted by and is to be seen, or turn the order round with `step` 0."""
        if not step:
            self._downwards = not self._downwards
            return
        count = len(self._sortable)
        coming = ((self._sorted_by + ahead) % count for ahead in range(step, step * (count + 1), step))
        self._sorted_by = next((at for at in coming if self.table.shows(self._sortable[at])), self._sorted_by)

    def sort_by(self, title: str) -> None:
        """Sort by the column with this title; turn the order round if that is what it is sorted by already."""
        titles = [column.title for column in self._sortable]
        if title in titles:
            chosen = titles.index(title)
            self._sorted_by, self._downwards = chosen, self._downwards ^ (chosen == self._sorted_by)

    def work_out(self) -> Iterator[None]:
        """Work out the rows in their order, some at a time: only when they may have changed, and not too often.

        Who asks for the same while somebody is at it gets what there was before; who asks for others is first.
        """
        asked = (self.picture, self.filter, self._sorted_by, self._downwards)
        changes = self.changes()
        by_content = bool(self.filter) or self._sorted_by != 0
        slow = by_content or self.changes_always
        too_soon = slow and self._looked_into > MANY and monotonic() - self._rows_at < 1
        may_differ = (by_content or changes != self._changes) and not too_soon and self._at_work is None
        if asked != self._asked or may_differ:
            self._asked = self._at_work = asked
            self._changes = changes
            try:
                rows = yield from self._chosen_rows()
                if asked is self._asked:  # else something else was asked for meanwhile
                    self._rows, self._filtered_by, self._rows_at = rows, asked[1], monotonic()
                    by = self._sortable[self._sorted_by].title
                    self.table.mark = None if self._as_they_come else (by, self._downwards)
            finally:
                if self._at_work is asked:
                    self._at_work = None

    @property
    def _as_they_come(self) -> bool:
        """Whether the order of the rows is the one they come in."""
        return self._sorted_by == 0 and self._downwards

    def _chosen_rows(self) -> Generator[None, None, Sequence[Row]]:
        rows = self.all_rows()
        self._looked_into = len(rows)
        by = self.filter
        if by:
            chosen = []
            for number, row in enumerate(rows, 1):
                if by.matches(self.fields_of(row), partial(self._cell, row)):
                    chosen.append(row)
                if number % A_FEW == 0:
                    yield
            rows = chosen
        column: Column[Row] = self._sortable[self._sorted_by]
        if self._as_they_come or column.order is None:
            return rows
        # What is the same in that column stays in the order it came in, seen from where the order begins.
        return sorted(rows if self._downwards else rows[::-1], key=column.order, reverse=self._downwards)

    def _cell(self, row: Row, field: str) -> str:
        unseen = self.unseen_of(row)
        return unseen[field] if field in unseen else text_of(self._by_field[field], row)
