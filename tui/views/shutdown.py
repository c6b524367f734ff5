"""View 5, Shutdown: a waterfall from the signal to the last byte, live while it happens, and kept for comparing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.widget import Widget

from echotui.server.events import duration
from echotui.server.waterfall import Shutdown, Step, What

from .. import numbers
from ..bindings import hint
from ..links import Kind
from ..picture import Picture
from ..text import clean, shortened
from ..widgets.detail import Detail
from ..widgets.lines import Piece
from ..widgets.table import Column, VirtualTable
from .rows import RowsPane
from .view import Pane, View

#: How wide a step's bar is, in cells.
BAR = 24

_STYLES = {What.SIGNAL: "alarm", What.HANDLER: "warn", What.LISTENER: "accent", What.CONNECTION: "good"}


class ShutdownsPane(RowsPane[Shutdown]):
    """Draws the shutdowns there were."""

    kind = Kind.SHUTDOWN
    called = "Shutdowns"
    fields: ClassVar[tuple[str, ...]] = ("id", "cause", "cut")

    def __init__(self, picture: Picture) -> None:
        table = VirtualTable[Shutdown](
            [
                Column("id", 3, lambda row: str(row.id), right=True, order=lambda row: row.id),
                Column("by", 26, lambda row: clean(row.cause), order=lambda row: row.cause),
                Column("open then", 9, lambda row: numbers.count(row.open_then), right=True, rank=1),
                Column("drain", 7, lambda row: duration(row.drain), right=True, rank=2),
                Column("took", 9, _took, right=True, order=lambda row: row.took or 0.0),
                Column("cut short", 0, lambda row: (clean(row.cut_short) or "no", "dim")),
            ],
            key=lambda row: row.id,
            empty="",
            id="shutdown-table",
        )
        super().__init__(picture, table, id="shutdowns")
        self._newest: int | None = None

    def steps(self) -> Iterator[None]:
        """Draw what is true now, a row at a time; who looks at the newest goes on to one that is newer."""
        shutdowns = self.picture.shutdowns()
        newest = shutdowns[-1].id if shutdowns else None
        follows, self._newest = self.table.cursor == self._newest != newest, newest
        yield from super().steps()
        if follows and self.table.cursor != newest:
            self.table.select(newest)

    def all_rows(self) -> Sequence[Shutdown]:
        """Return the shutdowns, the latest first."""
        return [*reversed(self.picture.shutdowns())]

    def changes(self) -> object:
        """Return what makes the rows others."""
        return self.picture.stamp()

    def fields_of(self, row: Shutdown) -> Mapping[str, str]:
        """Return what a filter looks into."""
        return {"id": str(row.id), "cause": clean(row.cause), "cut": clean(row.cut_short)}

    def title(self) -> str:
        """Return how many there are."""
        return f"Shutdowns · {len(self._rows)}"

    def why_empty(self) -> str:
        """Return what to do about it."""
        return _never(self)


class WaterfallPane(RowsPane[Step]):
    """Draws the steps of one shutdown, to scale."""

    kind = Kind.STEP
    called = "Waterfall"
    fields: ClassVar[tuple[str, ...]] = ("what", "name", "outcome", "server")

    def __init__(self, picture: Picture) -> None:
        table = VirtualTable[Step](
            [
                Column(
                    "step", 11, lambda row: (row.what.value, _STYLES.get(row.what, "")), order=lambda row: row.began
                ),
                Column("server", 9, lambda row: (row.server or "", "dim"), rank=3, order=lambda row: row.server or ""),
                Column("name", 24, lambda row: clean(row.name), order=lambda row: row.name),
                Column("began", 9, lambda row: duration(row.began), right=True, rank=4),
                Column("took", 9, self._took, right=True, rank=1, order=lambda row: (row.ended or 1e9) - row.began),
                Column("", BAR, self._bar, rank=2),
                Column("what became of it", 0, _outcome, least=20),
            ],
            key=id,
            empty="",
            id="waterfall-table",
        )
        super().__init__(picture, table, id="waterfall")
        self._downwards = False
        self.shutdown: Shutdown | None = None

    def all_rows(self) -> Sequence[Step]:
        """Return the steps; turned round, because the first comes first."""
        return [] if self.shutdown is None else self.shutdown.steps[::-1]

    def changes(self) -> object:
        """Return what makes the rows others."""
        return self.shutdown, 0 if self.shutdown is None else len(self.shutdown.steps), self.picture.now()

    def fields_of(self, row: Step) -> Mapping[str, str]:
        """Return what a filter looks into."""
        return {
            "what": row.what.value,
            "name": clean(row.name),
            "outcome": _outcome(row)[0],
            "server": row.server or "",
        }

    def title(self) -> str:
        """Return what it is the waterfall of, and its scale."""
        shutdown = self.shutdown
        if shutdown is None:
            return "Waterfall"
        dropped = f" · {numbers.count(shutdown.dropped)} more not kept" if shutdown.dropped else ""
        state = "under way" if shutdown.took is None else f"took {duration(shutdown.took)}"
        return f"Waterfall of {shutdown.id} · {clean(shutdown.cause)} · {state} · bar {duration(self._whole)}{dropped}"

    def why_empty(self) -> str:
        """Return what there is to know."""
        return _never(self) if self.shutdown is None else "it has no steps yet"

    @property
    def _whole(self) -> float:
        """How many seconds the whole bar is."""
        shutdown = self.shutdown
        if shutdown is None:
            return 0.0
        now = self.picture.now() - shutdown.began_at if shutdown.took is None else 0.0
        return max((step.ended or now for step in shutdown.steps), default=now) or now

    def _took(self, row: Step) -> Piece:
        return ("…", "warn") if row.ended is None else (duration(row.ended - row.began), "")

    def _bar(self, row: Step) -> Piece:
        whole = self._whole or 1e-9
        end = whole if row.ended is None else row.ended
        start = min(int(row.began / whole * BAR), BAR - 1)
        length = max(round((end - row.began) / whole * BAR), 1)
        late = row.doing is not None
        bar = " " * start + ("━" * min(length, BAR - start))
        return bar, "warn" if row.ended is None else "alarm" if late else _STYLES.get(row.what, "")


class StepPane(Detail):
    """Says all there is to know of one step."""

    def __init__(self, picture: Picture) -> None:
        super().__init__(id="step")
        self.picture = picture
        self.step: Step | None = None

    def subject(self) -> int | None:
        """Return what tells this step from all others."""
        return None if self.step is None else id(self.step)

    def title(self) -> str:
        """Return what the step is about."""
        return "Step" if self.step is None else f"Step: {self.step.what} {clean(self.step.name)}"

    def said(self, width: int) -> Sequence[Sequence[Piece]]:  # noqa: ARG002 - its lines are the same for every width
        """Return when it was, what became of it, and where it hung."""
        step = self.step
        if step is None:
            return [[("no step is selected", "dim")]]
        ended = "under way" if step.ended is None else f"took {duration(step.ended - step.began)}"
        rows: list[list[Piece]] = [
            [("began    ", "dim"), (f"after {duration(step.began)}, {ended}", "")],
            [("became   ", "dim"), (clean(step.outcome) or "under way", "")],
        ]
        if step.doing:
            rows.append([("hung     ", "dim"), (shortened(clean(step.doing)), "alarm")])
        return rows


class ShutdownView(View):
    """How the servers stopped, step by step."""

    name_ = "Shutdown"
    notes: ClassVar[str] = """\
A shutdown goes from the signal to its handler, closes every listener, lets every open connection finish within the
drain time, ends those that have not (where each of them hangs is said), and ends the servers. Built-in clients leave
first, and are not counted. A second signal cuts it short. Bars are to scale; the latest shutdowns are kept, so that
SIGINT, SIGTERM and a second signal can be compared.
"""

    def __init__(self, picture: Picture) -> None:
        super().__init__(picture)
        self.shutdowns = ShutdownsPane(picture)
        self.waterfall = WaterfallPane(picture)
        self.step = self.waterfall.detail = StepPane(picture)

    def body(self) -> Iterable[Widget]:
        """Yield the panes."""
        yield self.shutdowns
        yield self.waterfall
        yield self.step

    def panes(self) -> Sequence[Pane]:
        """Return the panes, each after the one whose row it is of."""
        return self.shutdowns, self.waterfall, self.step

    def main(self) -> Widget:
        """Return the shutdowns."""
        return self.shutdowns.table

    def repaint(self) -> None:
        """Draw what is true now."""
        super().repaint()
        self.show_waterfall()

    @on(VirtualTable.Moved, "#shutdown-table")
    def show_waterfall(self) -> None:
        """Show the steps of the selected shutdown."""
        selected = self.shutdowns.table.selected
        if selected is not self.waterfall.shutdown:
            self.waterfall.shutdown = selected
            self.waterfall.repaint()
        self.show_step()

    @on(VirtualTable.Moved, "#waterfall-table")
    def show_step(self) -> None:
        """Say more of the selected step."""
        selected = self.waterfall.table.selected
        if selected is not self.step.step:
            self.step.step = selected
            self.step.repaint()


def _never(pane: Widget) -> str:
    return f"nothing was shut down yet{hint(pane, 'app.send_signal', 'sends a signal, and this screen stays')}"


def _took(row: Shutdown) -> Piece:
    return ("…", "warn") if row.took is None else (duration(row.took), "")


def _outcome(row: Step) -> Piece:
    doing = f" · hung: {shortened(clean(row.doing))}" if row.doing else ""
    return (clean(row.outcome) or "under way") + doing, "alarm" if row.doing else "warn" if row.ended is None else ""
