"""View 3, Tasks: every task of the loop, and one of them in detail."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from echotui.server.events import duration
from echotui.server.observe.cancellations import Outcome
from echotui.server.observe.timing import TaskState

from .. import numbers
from ..bindings import bound, key_of
from ..links import Kind
from ..picture import Picture
from ..text import clean, shortened
from ..watched import TaskRow
from ..widgets.detail import Detail
from ..widgets.lines import Piece
from ..widgets.table import Column, VirtualTable
from .lifeline import lifeline
from .rows import RowsPane
from .view import Pane, View

NOT_OBSERVED = "this loop is not an observed one: nothing is known of its tasks"

_STATE_STYLES: dict[TaskState, str] = {
    TaskState.RUNNING: "good",
    TaskState.READY: "good",
    TaskState.CANCELLING: "warn",
    TaskState.FAILED: "alarm",
    TaskState.DESTROYED: "alarm",
    TaskState.CANCELLED: "warn",
    TaskState.FINISHED: "dim",
}

#: The outcomes of a cancellation after which its task is still meant to end.
STILL_ASKED = frozenset(Outcome) - {Outcome.UNCANCELLED, Outcome.NOT_DELIVERED}


class TasksPane(RowsPane[TaskRow]):
    """Draws a picture's tasks."""

    kind = Kind.TASK
    chosen_by: ClassVar[tuple[str, ...]] = ("filter", "with_ui")
    called = "Tasks"
    fields: ClassVar[tuple[str, ...]] = ("id", "name", "owner", "state", "waits", "function")

    def __init__(self, picture: Picture) -> None:
        table = VirtualTable[TaskRow](
            [
                Column("id", 6, lambda row: str(row.id), right=True, order=lambda row: row.id),
                Column("name", 18, lambda row: clean(row.name), order=lambda row: row.name),
                Column("owner", 7, lambda row: (row.owner, "dim"), rank=4, order=lambda row: row.owner),
                Column("state", 10, _state, order=lambda row: row.state),
                Column("for", 6, _for, right=True, rank=5, order=lambda row: row.waiting_for or -1.0),
                Column(
                    "steps", 9, lambda row: numbers.count(row.steps), right=True, rank=2, order=lambda row: row.steps
                ),
                Column("busy", 9, lambda row: duration(row.busy), right=True, rank=1, order=lambda row: row.busy),
                Column("longest", 9, _longest, right=True, rank=3, order=lambda row: row.longest),
                Column("waits at", 0, _waits, least=24),
            ],
            key=lambda row: row.id,
            empty="",
            id="task-table",
        )
        super().__init__(picture, table, id="tasks")
        self.with_ui = False
        """Whether Textual's own tasks are shown as well."""

    def all_rows(self) -> Sequence[TaskRow]:
        """Return the live tasks, and then the ended ones."""
        watched = self.picture.watched
        if watched is None:
            return []
        return [row for row in watched.tasks if self.with_ui or row.owner != "ui"]

    def widen(self) -> None:
        """Show all rows, Textual's own tasks as well."""
        super().widen()
        self.with_ui = True

    def changes(self) -> object:
        """Return how many were made and have ended."""
        watched = self.picture.watched
        return self.with_ui, None if watched is None else watched.task_changes

    def fields_of(self, row: TaskRow) -> Mapping[str, str]:
        """Return what a filter looks into."""
        return {
            "id": str(row.id),
            "name": clean(row.name),
            "owner": row.owner,
            "state": row.state,
            "waits": _waits(row)[0],
        }

    def unseen_of(self, row: TaskRow) -> Mapping[str, str]:
        """Return what a filter looks into only where it names it."""
        return {"function": clean(row.function)}

    def title(self) -> str:
        """Return how many there are, and whose are left out."""
        live = sum(1 for row in self._rows if not row.ended)
        hidden = "" if self.with_ui else f" · {key_of(self, 'tasks.ui')} shows Textual's own"
        watched = self.picture.watched
        forgotten = 0 if watched is None else watched.tasks_forgotten
        if watched is not None and self.with_ui:
            forgotten += watched.ui_tasks_forgotten
        if self.filter:
            forgotten = 0  # they are of all tasks: beside the numbers of a filter they would look like its result
        gone = f" · {numbers.count(forgotten)} forgotten" if forgotten else ""
        return f"Tasks · {numbers.count(live)} live · {numbers.count(len(self._rows) - live)} ended{gone}{hidden}"

    def why_empty(self) -> str:
        """Return what there is to know."""
        if self.picture.watched is None:
            return NOT_OBSERVED
        return f"no tasks but Textual's own; {key_of(self, 'tasks.ui')} shows them"


class TaskDetail(Detail):
    """Draws one task: what it waits for, who made it, how long its steps are, and how it was cancelled."""

    def __init__(self, picture: Picture) -> None:
        super().__init__(id="task-detail")
        self.picture = picture
        self.task_row: TaskRow | None = None

    def subject(self) -> int | None:
        """Return the number of the task."""
        return None if self.task_row is None else self.task_row.id

    def title(self) -> str:
        """Return which task it is."""
        return "Task" if self.task_row is None else f"Task {self.task_row.id}"

    def said(self, width: int) -> Sequence[Sequence[Piece]]:
        """Return what there is to say of the task."""
        row = self.task_row
        if row is None:
            return [[("no task is selected", "dim")]]
        said: list[list[Piece]] = [
            [(clean(row.name), "accent"), (f"  {row.owner}{', started eagerly' if row.eager else ''}", "dim")],
            [("is       ", "dim"), _state(row), (self._how_long(row), "")],
            [("runs     ", "dim"), (clean(row.function), "")],
            [
                ("steps    ", "dim"),
                (f"{row.steps:,}   busy {duration(row.busy)}   longest {duration(row.longest)}", ""),
            ],
            *self._error(row),
            *self._await_chain(row),
            *self._creation_chain(row),
            *self._histogram(row, width),
        ]
        for cancellation in reversed(row.cancellations):
            said.append([("", "")])
            said += lifeline(cancellation, width, self.picture.now())
        return said

    def _how_long(self, row: TaskRow) -> str:
        """Return how long its state has lasted, of a task that lives."""
        if row.ended or row.waiting_for is None:
            return ""
        this = numbers.ago(row.waiting_for)
        asked = [one.asked_at for one in row.cancellations if one.outcome in STILL_ASKED]
        if row.state is not TaskState.CANCELLING or not asked:
            return f" for {this}"
        return f" for {numbers.ago(self.picture.now() - min(asked))}, in this wait for {this}"

    def _error(self, row: TaskRow) -> list[list[Piece]]:
        if row.error is None:
            return []
        place = "" if row.error_at is None else f" at {shortened(str(row.error_at))}"
        silent: list[list[Piece]] = []
        if row.unretrieved:
            silent = [[("silent   ", "alarm"), ("somebody keeps it, and nobody has asked for its exception", "warn")]]
        return [[("raised   ", "dim"), (clean(row.error) + place, "alarm")], *silent]

    def _await_chain(self, row: TaskRow) -> list[list[Piece]]:
        wait = row.wait
        if wait is None:
            return []
        lines: list[list[Piece]] = [[("awaits   ", "dim"), (clean(wait.what), "good")]]
        lines += [[("    in   ", "dim"), (clean(shortened(str(place))), "")] for place in reversed(wait.chain)]
        return lines

    def _creation_chain(self, row: TaskRow) -> list[list[Piece]]:
        lines: list[list[Piece]] = []
        by_id = {} if self.picture.watched is None else {other.id: other for other in self.picture.watched.tasks}
        maker: TaskRow | None = row
        while maker is not None and len(lines) < 4:
            place = "by asyncio itself" if maker.made_at is None else shortened(str(maker.made_at))
            parent = None if maker.creator_id is None else by_id.get(maker.creator_id)
            whose = (
                "" if maker.creator_id is None else f" in {parent.name if parent else f'task {maker.creator_id}, gone'}"
            )
            lines.append([("made at  " if not lines else "   and   ", "dim"), (clean(f"{place}{whose}"), "")])
            maker = parent
        return lines

    def _histogram(self, row: TaskRow, width: int) -> list[list[Piece]]:
        if row.histogram is None or not row.histogram:
            return []
        lines: list[list[Piece]] = [[("steps by length, since this task was first selected", "dim")]]
        most = max(row.histogram.values())
        for bucket in range(min(row.histogram), max(row.histogram) + 1):
            count = row.histogram[bucket]
            bar = "█" * round(count / most * max(width - 22, 1)) or ("▏" if count else "")
            lines.append([(f" < {duration(2**bucket / 1e6):>8} ", "dim"), (f"{count:>7,} ", ""), (bar, "accent")])
        return lines


class TasksView(View):
    """What every task is doing, and what it waits for."""

    name_ = "Tasks"
    changes_untold = True
    notes: ClassVar[str] = """\
state      waiting: at an await; ready: runs in one of the next ticks; cancelling: asked to end, and has not
for        how long its current wait has lasted
busy       how long it ran in all its steps; longest: the longest of them, in which everything else had to wait
waits at   what it awaits, and the innermost line of the program that does
forgotten  how many tasks have ended so long ago that they are no longer kept
owner      server: ours; ui: Textual's own, hidden until you ask for them; program: everything else
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("tasks.ui", "with_ui", "Textual's"),
    ]

    def __init__(self, picture: Picture) -> None:
        super().__init__(picture)
        self.tasks = TasksPane(picture)
        self.detail = self.tasks.detail = TaskDetail(picture)

    def body(self) -> Iterable[Widget]:
        """Yield the panes."""
        yield Horizontal(self.tasks, self.detail, classes="middle")

    def panes(self) -> Sequence[Pane]:
        """Return the panes."""
        return self.tasks, self.detail

    def main(self) -> Widget:
        """Return the table."""
        return self.tasks.table

    def stamp(self) -> object:
        """Return what changes also when a task is made or ends."""
        watched = self.picture.watched
        return super().stamp(), None if watched is None else watched.task_changes

    def repaint(self) -> None:
        """Draw what is true now."""
        super().repaint()
        self._show_selected()

    def on_virtual_table_moved(self) -> None:
        """Show the task the cursor is on now, at once."""
        self._show_selected()

    def _show_selected(self) -> None:
        selected = self.tasks.table.selected
        if selected is not self.detail.task_row:
            self.detail.task_row = selected
            if selected is not None and self.picture.watched is not None:
                self.picture.watched.study(selected)
            self.detail.repaint()

    def action_with_ui(self) -> None:
        """Show Textual's own tasks, or hide them."""
        self.tasks.with_ui = not self.tasks.with_ui
        self.repaint()


def _state(row: TaskRow) -> Piece:
    return row.state.value, _STATE_STYLES.get(row.state, "")


def _for(row: TaskRow) -> Piece:
    return ("", "") if row.waiting_for is None else (numbers.ago(row.waiting_for), "dim")


def _longest(row: TaskRow) -> Piece:
    return duration(row.longest), "warn" if row.longest >= 0.1 else ""


def _waits(row: TaskRow) -> Piece:
    if row.ended:
        return clean(row.error or ""), "alarm" if row.state is TaskState.FAILED else "dim"
    wait = row.wait
    if wait is None:
        return "", ""
    place = "" if wait.at is None else f"  {shortened(f'{wait.at.file}:{wait.at.line}')}"
    return clean(wait.what + place), ""
