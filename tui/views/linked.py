"""A pane with a cursor in it: it shows things of one kind, and one can go to any of them from elsewhere, and back."""

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple, Protocol

from ..filter import Filter, parse
from ..links import Kind, Thing
from ..widgets.framed import Framed
from ..widgets.table import VirtualTable


class Stance(NamedTuple):
    """Where one was in a pane: its cursor, and which rows it showed."""

    pane: "Linked"
    cursor: Any
    follows: bool
    shown: dict[str, Any]


class Shown(Protocol):
    """What can be laid out: a widget, or nothing to speak of."""

    @property
    def display(self) -> bool: ...


class Linked(Framed):
    """A pane whose rows are things."""

    kind: ClassVar[Kind | None] = None
    """What its rows are; None where nothing leads to them or from them."""
    many: ClassVar[Kind | None] = None
    """What the rows that a filter lets through are, where one can go to them as well."""
    fields: ClassVar[tuple[str, ...]] = ()
    """What a filter can ask for by name."""
    chosen_by: ClassVar[tuple[str, ...]] = ()
    """The names of the attributes that say which rows are shown."""
    detail: Shown | None = None
    """What is beside it, mostly the pane that says more of the row under the cursor; a small terminal has no room for
    it, and enter shows it first. None where there is no such thing."""

    filter: Filter
    table: VirtualTable[Any]

    def item(self) -> Any:
        """Return the row under the cursor; None if there is none."""
        return self.table.selected

    def repaint(self) -> None:
        """Draw what is true now."""
        for _ in self.steps():
            pass

    def steps(self) -> Iterator[None]:
        """Draw what is true now, a line at a time."""
        raise NotImplementedError

    def reveal(self, thing: Thing) -> bool:
        """Put the cursor on a thing, showing more rows if it has to; return whether it is there."""
        if thing.kind is self.many:
            self.filter = parse(str(thing.id), self.fields)
            self.repaint()
            return True
        self.repaint()
        if not self.table.select(thing.id):
            self.widen()
            self.repaint()
            return self.table.select(thing.id)
        return True

    def begin_anew(self) -> None:
        """Forget that one may have come here by a link."""

    def widen(self) -> None:
        """Show all the rows there are."""

    def stance(self) -> Stance:
        """Return where one is in it."""
        return Stance(
            self, self.table.cursor, self.table.follows, {name: getattr(self, name) for name in self.chosen_by}
        )

    def resume(self, stance: Stance) -> None:
        """Be where one was."""
        for name, value in stance.shown.items():
            setattr(self, name, value)
        self.repaint()
        self.table.select(stance.cursor)
        if stance.follows:
            self.table.action_edge(1)
