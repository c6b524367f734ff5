"""View 4, Faults: the catalogue, what is active, and what each has caused."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from echotui.server.events import duration
from echotui.server.faults.active import ActiveFault
from echotui.server.faults.catalogue import CATALOGUE, Kind
from echotui.server.faults.radius import Caused

from .. import links, numbers
from ..bindings import bound, hint
from ..picture import Picture
from ..text import clean, shortened
from ..widgets.detail import Detail
from ..widgets.lines import Piece
from ..widgets.table import Column, VirtualTable
from .rows import RowsPane
from .view import Pane, View, is_seen


class CataloguePane(RowsPane[Kind]):
    """Draws the faults there are."""

    called = "Catalogue"
    fields: ClassVar[tuple[str, ...]] = ("name", "group", "target", "what")

    def __init__(self, picture: Picture) -> None:
        table = VirtualTable[Kind](
            [
                Column("done to", 10, lambda row: (row.group.value, "dim"), rank=1, order=lambda row: row.group),
                Column("fault", 18, _name, order=lambda row: row.name),
                Column("what it does", 0, lambda row: row.sentence, least=24),
            ],
            key=lambda row: row.name,
            empty="",
            id="catalogue-table",
        )
        super().__init__(picture, table, id="catalogue")

    def all_rows(self) -> Sequence[Kind]:
        """Return the catalogue."""
        return [*CATALOGUE.values()]

    def changes(self) -> object:
        """Return always the same: it never changes."""
        return None

    def fields_of(self, row: Kind) -> Mapping[str, str]:
        """Return what a filter looks into."""
        return {"name": row.name, "group": row.group.value, "what": row.sentence}

    def unseen_of(self, row: Kind) -> Mapping[str, str]:
        """Return what a filter looks into only where it names it."""
        return {"target": " ".join(target.value for target in row.targets), "fault": row.name}

    def title(self) -> str:
        """Return how to inject one."""
        return f"Catalogue · {len(CATALOGUE)} faults{hint(self, 'table.choose', 'injects one')}"

    def why_empty(self) -> str:
        """Return nothing: there is always a catalogue."""
        return ""


class KindPane(Detail):
    """Says all there is to know of one kind of fault."""

    def __init__(self, picture: Picture) -> None:
        super().__init__(id="kind")
        self.picture = picture
        self.kind: Kind | None = None

    def subject(self) -> str | None:
        """Return the name of the kind of fault."""
        return None if self.kind is None else self.kind.name

    def title(self) -> str:
        """Return its name."""
        return "Fault" if self.kind is None else self.kind.name

    def said(self, width: int) -> Sequence[Sequence[Piece]]:
        """Return what it does, where, with what, and what undoing it does."""
        kind = self.kind
        if kind is None:
            return [[("no fault is selected", "dim")]]
        said = [
            ("does", kind.sentence, "warn" if kind.dangerous else ""),
            *([("danger !", kind.danger, "alarm")] if kind.danger else []),
            ("to", ", ".join(f"a {target.value}" for target in kind.targets), "accent"),
            *((one.name, f"{one.with_unit(one.default)}: {one.sentence}", "") for one in kind.parameters),
            ("undo", kind.undo, "dim"),
        ]
        return [
            [(f"{name if number == 0 else '':<12}", "dim"), (line, style)]
            for name, text, style in said
            for number, line in enumerate(textwrap.wrap(text, max(width - 12, 1)))
        ]


class InjectedPane(RowsPane[ActiveFault]):
    """Draws the faults that were injected: the active ones, and the latest that are over."""

    kind = links.Kind.FAULT
    called = "Injected"
    fields: ClassVar[tuple[str, ...]] = ("id", "name", "target", "state")

    def __init__(self, picture: Picture) -> None:
        table = VirtualTable[ActiveFault](
            [
                Column("id", 4, lambda row: str(row.id), right=True, order=lambda row: row.id),
                Column("fault", 16, lambda row: row.kind.name, order=lambda row: row.kind.name),
                Column("in", 14, lambda row: str(row.target), rank=1, order=lambda row: str(row.target)),
                Column("state", 15, self._state, order=lambda row: row.active),
                Column("caused", 0, lambda row: row.radius.size, least=16),
            ],
            key=lambda row: row.id,
            empty="",
            id="injected-table",
        )
        super().__init__(picture, table, id="injected")

    def all_rows(self) -> Sequence[ActiveFault]:
        """Return the faults, the newest first."""
        return [*reversed(self.picture.faults())]

    def changes(self) -> object:
        """Return the time: what they cause grows."""
        return self.picture.now()

    def fields_of(self, row: ActiveFault) -> Mapping[str, str]:
        """Return what a filter looks into."""
        return {"id": str(row.id), "name": row.kind.name, "target": str(row.target), "state": self._state(row)[0]}

    def title(self) -> str:
        """Return how many there are."""
        faults = self.picture.faults()
        active = sum(fault.active for fault in faults)
        return f"Injected · {active} active · {len(faults) - active} over" + (
            hint(self, "faults.undo", "undoes") if active else ""
        )

    def why_empty(self) -> str:
        """Return what to do about it."""
        return f"nothing was injected yet{hint(self, 'table.choose', 'on a fault of the catalogue')}"

    def _state(self, row: ActiveFault) -> Piece:
        if row.ended_at is None:
            return f"active {numbers.ago(self.picture.now() - row.began_at)}", "alarm"
        if row.recovered_after is None:
            return "over", "dim"
        return f"healed {duration(row.recovered_after)}", "good"


class RadiusPane(Detail):
    """Draws what one fault has caused."""

    def __init__(self, picture: Picture) -> None:
        super().__init__(id="radius")
        self.picture = picture
        self.fault: ActiveFault | None = None

    def subject(self) -> int | None:
        """Return the number of the fault."""
        return None if self.fault is None else self.fault.id

    def title(self) -> str:
        """Return whose blast radius it is."""
        return "Blast radius" if self.fault is None else f"Blast radius of {self.fault.name}"

    def said(self, width: int) -> Sequence[Sequence[Piece]]:  # noqa: ARG002 - its lines are the same for every width
        """Return the blast radius."""
        fault = self.fault
        if fault is None:
            return [[("what an injected fault has caused is listed here", "dim")]]
        named = {one.name: one.with_unit(fault.params[one.name]) for one in fault.kind.parameters}
        params = ", ".join(f"{name} {value}" for name, value in named.items()) or "no parameters"
        rows: list[list[Piece]] = [
            [("in       ", "dim"), (clean(str(fault.target)), "accent"), (f"  {params}", "")],
            [("limits   ", "dim"), (f"toxicity {fault.toxicity:g}, seed {fault.seed}, {_limit(fault)}", "")],
            [("struck   ", "dim"), (numbers.counted(fault.strikes, "time"), "")],
            [("healed   ", "dim"), *_healed(fault, hint(self, "faults.undo", "undoes it, and then"))],
        ]
        radius = fault.radius
        for number, what in radius.connections.items():
            rows.append([(f"connection {number:<6}", "dim"), (clean(what), "warn")])
        if radius.more_connections:
            rows.append([(f"and {numbers.counted(radius.more_connections, 'time')} another connection", "dim")])
        for number, what in radius.exposed.items():
            yet = "not yet" if fault.active else "never"
            rows.append([(f"connection {number:<6}", "dim"), (f"{yet}: {clean(what)}", "dim")])
        if radius.more_exposed:
            rows.append([(f"and {numbers.counted(radius.more_exposed, 'connection')} more that it can hit", "dim")])
        for name in ("tasks", "cancellations", "timeouts", "timers", "complaints", "clients", "peers", "others"):
            caused: Caused = getattr(radius, name)
            rows += [[(f"{name:<17}", "dim"), (shortened(clean(what)), "")] for what in caused.latest]
        if radius.during:
            during = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in radius.during.items())
            rows.append([("during, cause unknown  ", "dim"), (during, "dim")])
        return rows


class FaultsView(View):
    """What can be broken, what is, and what that has led to."""

    name_ = "Faults"
    notes: ClassVar[str] = """\
caused     what is known to be caused by a fault: the connections it broke, tasks, complaints …
during     what alarmed while it was active, and nothing shows it was the cause
healed     how long after its end every server answered a probe again: blocking only if it had no client
toxicity   how probable a fault strikes each time it could, from 0 (never) to 1 (always)
seed       what its random decisions come from: the same seed, the same decisions
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("faults.undo", "undo", "undo"),
        bound("faults.undo_all", "undo_all"),
    ]

    def __init__(self, picture: Picture) -> None:
        super().__init__(picture)
        self.catalogue = CataloguePane(picture)
        self.kind = KindPane(picture)
        self.injected = InjectedPane(picture)
        self.radius = self.injected.detail = RadiusPane(picture)

    def body(self) -> Iterable[Widget]:
        """Yield the panes."""
        yield Horizontal(
            Vertical(self.catalogue, self.kind, id="catalogue-column"),
            Vertical(self.injected, self.radius, id="injected-column"),
            classes="middle",
        )

    def panes(self) -> Sequence[Pane]:
        """Return the panes."""
        return self.catalogue, self.kind, self.injected, self.radius

    def main(self) -> Widget:
        """Return the catalogue."""
        return self.catalogue.table

    def repaint(self) -> None:
        """Draw what is true now."""
        super().repaint()
        self.show_radius()

    @on(VirtualTable.Moved)
    def show_radius(self) -> None:
        """Explain the selected kind, and show what the selected fault has caused."""
        self.kind.kind = self.catalogue.table.selected
        self.kind.repaint()
        self.radius.fault = self.injected.table.selected
        self.radius.repaint()

    def show_injected(self, fault: ActiveFault) -> None:
        """Show a fault that was injected just now, and give it the keys: an enter too many must not inject a second."""
        self.repaint()
        self.injected.table.select(fault.id)
        self.make_room_for(self.injected)
        if is_seen(self.injected):
            self.set_focus(self.injected.table)

    def action_undo(self) -> None:
        """Undo the selected fault."""
        fault = self.injected.table.selected
        if fault is None or not fault.active:
            self.notify("no active fault is selected", severity="warning", markup=False)
        else:
            fault.undo()

    def action_undo_all(self) -> None:
        """Undo every active fault, the newest first."""
        active = [fault for fault in self.picture.faults() if fault.active]
        for fault in reversed(active):
            fault.undo()
        if not active:
            self.notify("no fault is active", severity="warning", markup=False)


def _name(row: Kind) -> Piece:
    return (f"{row.name} !", "alarm") if row.dangerous else (row.name, "accent")


def _limit(fault: ActiveFault) -> str:
    if fault.duration is not None:
        return f"for {duration(fault.duration)}"
    if fault.active:
        return "until it is undone"
    return "until it was ended" if fault.kind.lasting or fault.params.get("every") else "once"


def _healed(fault: ActiveFault, undo: str) -> list[Piece]:
    if fault.active:
        return [(f"not over{undo}: ", "warn"), (fault.kind.undo, "dim")]
    if fault.recovered_after is None:
        return [("not known (yet)", "dim")]
    return [(f"every free server answered {duration(fault.recovered_after)} after its end", "good")]
