"""View 2, Loop: what the loop itself does, tick by tick, and what it will do next."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from echotui.server.events import duration
from echotui.server.observe.ticks import Registration, Tick
from echotui.server.observe.timers import LiveTimer

from .. import numbers
from ..bindings import bound
from ..links import Kind, timer_key
from ..numbers import counted
from ..picture import Picture
from ..text import clean, shortened
from ..watched import Watched
from ..widgets.detail import Detail
from ..widgets.lines import Line, LiveLines, Piece
from ..widgets.table import Column, VirtualTable
from .charts import ChartsPane, lag, load, turn
from .rows import RowsPane
from .tasks import NOT_OBSERVED
from .view import Pane, View

#: Within how many seconds a timer's bar runs down.
BAR_SECONDS = 10.0

#: How wide that bar is, in cells.
BAR = 20

#: What this program does itself, by the callback of its timers and descriptors, in words.
OURS = {
    "OnLoop._due": "selectors: its timeout",
    "OnLoop._readable": "selectors: its selector",
    "Pulse._beat": "echotui's pulse",
    "FrameClock.wake": "echotui's frame clock",
    "PatientDriver._read": "the keyboard",
}

#: asyncio's own callbacks, as what they are there for.
_TIMERS = {"_set_result_unless_cancelled": "a sleep", "Timeout._on_timeout": "a timeout"}

_EVENTS = {1: "read", 2: "write", 3: "read and write"}


def in_words(name: str) -> str:
    """Return what a timer or a descriptor is for, where it is one of this program's own; else its name."""
    return OURS.get(name, name)


class TickStrip(LiveLines):
    """Draws one column for each of the latest ticks: how long the loop ran in it, and how long it slept before."""

    def __init__(self, picture: Picture) -> None:
        super().__init__(id="ticks")
        self.picture = picture

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Return the strip, and what it means."""
        watched = self.picture.watched
        if watched is None:
            return [self.line([(NOT_OBSERVED, "dim")], width)][:height]
        if watched.why_no_ticks is not None:
            self.label("Ticks")
            lags = self.picture.vitals().lags
            now, worst = (duration(lag) for lag in (lags[-1] if lags else 0.0, max(lags, default=0.0)))
            return [
                self.line([(watched.why_no_ticks, "warn")], width),
                self.line([("lag is measured instead: ", "dim"), (f"{now} in the last second,", "")], width),
                self.line([(f"{worst} at worst in the last five minutes", "")], width),
            ][:height]
        self.label(f"Ticks · {numbers.count(watched.tick_count)} so far, a column each")
        ticks = watched.ticks[-(width - 8) :]
        longest_run, longest_sleep = (max(map(of, ticks), default=0.0) for of in (_ran, _slept))
        return [
            self.line([("ran     ", "dim"), (numbers.spark([*map(_ran, ticks)], width), "warn")], width),
            self.line([("slept   ", "dim"), (numbers.spark([*map(_slept, ticks)], width), "accent")], width),
            self.line(
                [(f"highest bar: ran {duration(longest_run)}, slept {duration(longest_sleep)}; newest right", "dim")],
                width,
            ),
        ][:height]


class StepsPane(Detail):
    """Draws the five steps of the latest tick in which something was to be done."""

    def __init__(self, picture: Picture) -> None:
        super().__init__(id="steps")
        self.picture = picture
        self._tick: Tick | None = None

    def subject(self) -> str:
        """Return the same for every tick."""
        return "the latest tick"

    def title(self) -> str:
        """Return which tick it is."""
        return "The five steps" if self._tick is None else f"The five steps of tick {numbers.count(self._tick.number)}"

    def said(self, width: int) -> Sequence[Sequence[Piece]]:  # noqa: ARG002 - its lines are the same for every width
        """Return the steps."""
        watched = self.picture.watched
        self._tick = None
        if watched is None or watched.why_no_ticks is not None:
            why = NOT_OBSERVED if watched is None else f"{watched.why_no_ticks}"
            return [[(why or "", "dim")]]
        ticks = watched.ticks
        if not ticks:
            return [[("no tick is over yet", "dim")]]
        # Most ticks only finish what is left from the one before: the latest that waited for something says more.
        self._tick = tick = next((one for one in reversed(ticks) if one.ready_count or one.asked), ticks[-1])
        called = counted(tick.callbacks, "callback")
        rows: list[list[Piece]] = [
            [("1 run what is ready       ", "dim"), (f"{called} in {duration(tick.ran)}", "")],
            [
                ("2 register new sockets    ", "dim"),
                (f"watches {counted(watched.registered, 'descriptor')}", ""),
            ],
            [("3 calculate the timeout   ", "dim"), *_timeout(tick, watched)],
            [("4 select                  ", "dim"), (f"slept {duration(tick.slept)}", "")],
            [("5 turn events into ready  ", "dim"), (counted(tick.ready_count, "descriptor"), "")],
        ]
        for fd, mask in tick.ready:
            registration = watched.registration(fd)
            whose = "not watched any more" if registration is None else registration.whose
            rows.append([(f"    fd {fd} {_EVENTS.get(mask, str(mask))} ", ""), (clean(in_words(whose)), "accent")])
        return rows


class TimersPane(RowsPane[LiveTimer]):
    """Draws the timers that are set, with bars that run down."""

    kind = Kind.TIMER
    called = "Timers"
    fields: ClassVar[tuple[str, ...]] = ("for", "callback")

    def __init__(self, picture: Picture) -> None:
        table = VirtualTable[LiveTimer](
            [
                Column("due in", 9, self._due, right=True, order=lambda row: -row.due),
                Column("", BAR, self._bar, rank=2),
                Column("for", 0, lambda row: clean(in_words(row.behind)), least=16),
                Column("callback", 30, lambda row: (shortened(clean(row.callback)), "dim"), rank=1),
            ],
            key=timer_key,
            empty="",
            id="timer-table",
        )
        super().__init__(picture, table, id="timers")

    def all_rows(self) -> Sequence[LiveTimer]:
        """Return the timers, soonest first."""
        return [] if self.picture.watched is None else self.picture.watched.timers

    def changes(self) -> object:
        """Return the time: they run down all the time."""
        return self.picture.now()

    def fields_of(self, row: LiveTimer) -> Mapping[str, str]:
        """Return what a filter looks into."""
        return {"for": clean(in_words(row.behind)), "callback": shortened(clean(row.callback))}

    def title(self) -> str:
        """Return how many there are and were."""
        if self.picture.watched is None:
            return "Timers"
        live, fired, cancelled = map(numbers.count, self.picture.watched.timer_counts)
        return f"Timers · {live} set · {fired} fired · {cancelled} cancelled before"

    def why_empty(self) -> str:
        """Return what there is to know."""
        return NOT_OBSERVED if self.picture.watched is None else "no timer is set"

    def _left(self, row: LiveTimer) -> float:
        return row.due - self.picture.now()

    def _due(self, row: LiveTimer) -> Piece:
        left = self._left(row)
        return (duration(left), "") if left > 0 else ("due", "warn")

    def _bar(self, row: LiveTimer) -> Piece:
        return "━" * max(min(round(self._left(row) / BAR_SECONDS * BAR), BAR), 0), "accent"


class RegistrationsPane(RowsPane[Registration]):
    """Draws the descriptors the loop watches."""

    kind = Kind.DESCRIPTOR
    changes_always = True
    called = "Registrations"
    fields: ClassVar[tuple[str, ...]] = ("fd", "events", "whose")

    def __init__(self, picture: Picture) -> None:
        table = VirtualTable[Registration](
            [
                Column("fd", 5, lambda row: str(row.fd), right=True, order=lambda row: row.fd),
                Column("for", 11, lambda row: row.events, order=lambda row: row.events),
                Column("whose", 0, lambda row: clean(in_words(row.whose)), order=lambda row: row.whose),
            ],
            key=lambda row: row.fd,
            empty="",
            id="registration-table",
        )
        super().__init__(picture, table, id="registrations")

    def all_rows(self) -> Sequence[Registration]:
        """Return the registrations, the highest descriptor first."""
        return [] if self.picture.watched is None else [*reversed(self.picture.watched.registrations)]

    def changes(self) -> object:
        """Return what makes the rows others."""
        return self.picture.stamp()

    def fields_of(self, row: Registration) -> Mapping[str, str]:
        """Return what a filter looks into."""
        return {"fd": str(row.fd), "events": row.events, "whose": clean(in_words(row.whose))}

    def title(self) -> str:
        """Return how many there are."""
        watched = self.picture.watched
        known = watched is not None and watched.why_no_ticks is None
        return f"Registrations · {len(self._rows)}" if known else "Registrations"

    def why_empty(self) -> str:
        """Return why there are none."""
        watched = self.picture.watched
        return NOT_OBSERVED if watched is None else watched.why_no_ticks or "nothing is registered"


class LoopView(View):
    """What the loop itself does."""

    name_ = "Loop"
    changes_untold = True
    notes: ClassVar[str] = """\
tick       one turn of the loop: run what is ready, register, calculate the timeout, select, turn events into ready
ran        how long the loop ran in a tick: everything else had to wait for that long
slept      how long it slept in its select; the timer that set the limit is named in step 3
due in     when a timer fires; its bar is ten seconds long
charts     {loop.charts}: the longest turn of each second, the share of it in which the loop ran, and the lag
On uvloop libuv owns the selector: ticks and registrations cannot be seen there, and are not shown as zero.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("loop.charts", "charts", "charts"),
    ]

    def __init__(self, picture: Picture) -> None:
        super().__init__(picture)
        self.ticks = TickStrip(picture)
        self.tick_steps = StepsPane(picture)
        self.lag = ChartsPane(picture, lag, id="lag")
        self.timers = TimersPane(picture)
        self.registrations = RegistrationsPane(picture)
        self._column = self.timers.detail = Vertical(self.registrations, id="registration-column")
        self.charts = ChartsPane(picture, turn, load, lag, id="charts", key="loop.charts")

    def body(self) -> Iterable[Widget]:
        """Yield the panes."""
        yield self.ticks
        yield Horizontal(self.tick_steps, self.lag, id="tick-row")
        yield Horizontal(self.timers, self._column, classes="middle")
        yield self.charts

    def stamp(self) -> object:
        """Return what changes twice a second, too: ticks pass all the time, and each frame makes some of its own."""
        return super().stamp(), int(self.picture.now() * 2)

    def panes(self) -> Sequence[Pane]:
        """Return the panes."""
        return self.ticks, self.tick_steps, self.lag, self.timers, self.registrations, self.charts

    def action_charts(self) -> None:
        """Show charts, on a small screen in the place of the timers, or none."""
        self.toggle_class("-charts")
        self.charts.repaint()

    def main(self) -> Widget:
        """Return the timers."""
        return self.timers.table


def _timeout(tick: Tick, watched: Watched) -> list[Piece]:
    if tick.asked is None:
        return [("as long as it takes: no timer is set", "")]
    if tick.asked == 0:
        return [("0: there was work left", "")]
    if tick.set_by is None:
        return [(duration(tick.asked), "")]
    by = _TIMERS.get(tick.set_by) or in_words(tick.set_by)
    whose = next((f" of {row.name}" for row in watched.tasks if row.id == tick.set_by_task), "")
    return [(duration(tick.asked), ""), (", set by ", "dim"), (clean(by + whose), "accent")]


def _ran(tick: Tick) -> float:
    return tick.ran


def _slept(tick: Tick) -> float:
    return tick.slept
