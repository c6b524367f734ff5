"""View 6, Problems: what asyncio complains about, and what blocked the loop, with what it means and how to mend it."""

import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from echotui.server.events import duration
from echotui.server.observe.complaints import Complaint
from echotui.server.observe.core_time import Part
from echotui.server.observe.places import Place
from echotui.server.observe.stalls import Stall
from echotui.server.observe.task_record import TaskRecord
from echotui.server.value import value

from .. import numbers
from ..bindings import bound, hint, key_of
from ..links import Kind, problem_key
from ..picture import Picture
from ..text import clean
from ..watched import UNHEARD, Watched
from ..widgets.detail import Detail
from ..widgets.lines import Piece
from ..widgets.table import Column, VirtualTable
from .rows import RowsPane
from .tasks import NOT_OBSERVED
from .view import Pane, View

STALL_MEANS = "The loop did not turn: nothing else on it ran, no timer fired, nobody was answered."
STALL_FIX = "Move the work to a thread (asyncio.to_thread), or await in between."
STALL_FIXES = {
    Part.COMPUTING: "Await in between, or move the work to a thread (asyncio.to_thread): the loop turns then, if more "
    "slowly. Only a process takes work in pure Python quite off its hands.",
    Part.WAITING: "Use asyncio's own way to wait for that, or move the call to a thread (asyncio.to_thread). "
    "If it waits for nothing: another thread had the interpreter's lock, or the process was stopped.",
    Part.STARVED: "That line need not be at fault: the loop could have gone on. See what else the machine is doing.",
}

UNHEARD_MEANS = "A task failed, and asyncio says nothing: somebody keeps it, and has not asked for its result."
UNHEARD_FIX = "Await the task, or look at its exception() in a done callback, or put it into a TaskGroup."


@value
class Problem:
    """Complaints of the same kind about the same line, or stalls at the same line: how many, and the latest.

    The fix is the one for most of them.
    """

    kind: str
    place: str
    count: int
    at: float
    """When the latest was, by the clock of the picture."""
    what: str
    who: str
    means: str
    fix: str
    lasts: bool = False
    """Whether it is happening right now."""
    owner: str | None = None
    """Whose task it was, if that is known."""
    task_id: int | None = None
    """The number of the latest task it was, if that is known."""
    line: Place | None = None
    """The line itself, where it is one."""


class ProblemsPane(RowsPane[Problem]):
    """Draws a picture's problems, grouped by kind and line."""

    kind = Kind.PROBLEM
    chosen_by: ClassVar[tuple[str, ...]] = ("filter", "with_ui")
    called = "Problems"
    fields: ClassVar[tuple[str, ...]] = ("kind", "who", "what", "where")

    def __init__(self, picture: Picture) -> None:
        table = VirtualTable[Problem](
            [
                Column("ago", 6, self._ago, right=True, order=lambda row: row.at),
                Column("count", 6, lambda row: numbers.count(row.count), right=True, order=lambda row: row.count),
                Column("kind", 18, _kind, order=lambda row: row.kind),
                Column("who", 16, lambda row: row.who, rank=1, order=lambda row: row.who),
                Column("what", 0, lambda row: row.what, least=30),
            ],
            key=lambda row: (row.kind, row.place),
            empty="",
            id="problem-table",
        )
        super().__init__(picture, table, id="problems")
        self.with_ui = False
        """Whether what Textual's own tasks do is shown as well."""
        self._hidden = 0

    def all_rows(self) -> Sequence[Problem]:
        """Return the problems, the latest first."""
        watched = self.picture.watched
        found = [] if watched is None else _all(watched)
        shown = [problem for problem in found if self.with_ui or problem.owner != "ui"]
        self._hidden = len(found) - len(shown)
        return _grouped(shown)

    def widen(self) -> None:
        """Show all rows, what Textual's own tasks do as well."""
        super().widen()
        self.with_ui = True

    def changes(self) -> object:
        """Return what makes the rows others."""
        watched = self.picture.watched
        if watched is None:
            return None
        problems = watched.problems
        latest = [found[-1] for found in (problems.complaints, problems.stalls) if found]
        return (
            self.with_ui,
            len(problems.complaints),
            problems.forgotten,
            len(problems.stalls),
            len(problems.unheard),
            *map(id, latest),
            self.picture.now(),
        )

    def fields_of(self, row: Problem) -> Mapping[str, str]:
        """Return what a filter looks into."""
        return {"kind": row.kind, "who": row.who, "what": row.what}

    def unseen_of(self, row: Problem) -> Mapping[str, str]:
        """Return what a filter looks into only where it names it."""
        return {"where": row.place}

    def title(self) -> str:
        """Return how many there are."""
        total = sum(row.count for row in self._rows)
        watched = self.picture.watched
        # They are of all kinds: beside the numbers of a filter they would look like its result.
        forgotten = 0 if watched is None or self.filter else watched.problems.forgotten
        rows = numbers.counted(len(self._rows), "row")
        them = "it" if self._hidden == 1 else "them"
        shows = f"{key_of(self, 'problems.ui')} shows {them}"
        ours = f" · {numbers.count(self._hidden)} by this screen, {shows}" if self._hidden else ""
        return f"Problems · {numbers.count(total)} in {rows}{ours}" + (
            f" · {numbers.count(forgotten)} forgotten" if forgotten else ""
        )

    def why_empty(self) -> str:
        """Return what there is to know."""
        if self.picture.watched is None:
            return NOT_OBSERVED
        return f"no problems so far{hint(self, 'app.treat', 'in view 1, and then boom, makes one')}"

    def _ago(self, row: Problem) -> Piece:
        return ("now", "alarm") if row.lasts else (numbers.ago(max(self.picture.now() - row.at, 0)), "dim")


class ProblemDetail(Detail):
    """Says what a problem means, and how to mend it."""

    def __init__(self, picture: Picture) -> None:
        super().__init__(id="problem-detail")
        self.picture = picture
        self.problem: Problem | None = None

    def subject(self) -> tuple[str, str] | None:
        """Return kind and place of the problem: how often it was seen changes, and it stays the same one."""
        return None if self.problem is None else (self.problem.kind, self.problem.place)

    def title(self) -> str:
        """Return what kind of problem it is."""
        return "Problem" if self.problem is None else self.problem.kind.capitalize()

    def said(self, width: int) -> Sequence[Sequence[Piece]]:
        """Return what there is to say."""
        problem = self.problem
        if problem is None:
            return [[("nothing is selected", "dim")]]
        said: list[tuple[str, str, str]] = [
            ("what", problem.what, "warn"),
            ("who", problem.who or "nobody who could be named", ""),
            ("where", problem.place or "at no line that could be seen", "accent"),
            ("means", problem.means, ""),
            ("fix", problem.fix, "good"),
            ("seen", "once" if problem.count == 1 else numbers.counted(problem.count, "time"), ""),
        ]
        return [
            [(f"{label if number == 0 else '':<7}", "dim"), (line, style)]
            for label, text, style in said
            for number, line in enumerate(textwrap.wrap(text, max(width - 7, 1)))
        ]


class ProblemsView(View):
    """What is wrong, what it means, and how to mend it."""

    name_ = "Problems"
    notes: ClassVar[str] = """\
A problem is what asyncio complains about, or would in debug mode, and every time the loop was blocked;
also a failed task that somebody keeps and has not asked: asyncio complains only once it is dropped.
Problems of one kind at one line are one row; count says how many, ago when the latest was.
Of a stall it is said, if it is certain, what the loop's thread mostly did: compute, wait in a call, or want a core.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("problems.ui", "with_ui", "Textual's"),
    ]

    def __init__(self, picture: Picture) -> None:
        super().__init__(picture)
        self.problems = ProblemsPane(picture)
        self.detail = self.problems.detail = ProblemDetail(picture)

    def body(self) -> Iterable[Widget]:
        """Yield the panes."""
        yield Horizontal(self.problems, self.detail, classes="middle")

    def panes(self) -> Sequence[Pane]:
        """Return the panes."""
        return self.problems, self.detail

    def main(self) -> Widget:
        """Return the table."""
        return self.problems.table

    def steps(self, panes: Sequence[Pane]) -> Iterator[None]:
        """Draw these panes, and the detail of what the cursor is on now: a row that counts is another one each time."""
        yield from super().steps(panes)
        if self.detail.problem != self.problems.table.selected:
            self.on_virtual_table_moved()

    def repaint(self) -> None:
        """Draw what is true now."""
        super().repaint()
        self.on_virtual_table_moved()

    def action_with_ui(self) -> None:
        """Show what the screen's own tasks do, or hide it."""
        self.problems.with_ui = not self.problems.with_ui
        self.repaint()

    def on_virtual_table_moved(self) -> None:
        """Explain the problem the cursor is on now."""
        self.detail.problem = self.problems.table.selected
        self.detail.repaint()


def _kind(row: Problem) -> Piece:
    return row.kind, "alarm"


def _all(watched: Watched) -> list[Problem]:
    problems = watched.problems
    return [
        *map(_of_complaint, problems.complaints),
        *map(_of_stall, problems.stalls),
        *map(_of_unheard, problems.unheard),
    ]


def _grouped(found: Sequence[Problem]) -> list[Problem]:
    groups: dict[tuple[str, str], Problem] = {}
    fixes: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def add(problem: Problem) -> None:
        key = (problem.kind, problem.place)
        before = groups.pop(key, None)
        count = 1 if before is None else before.count + 1
        fixes[key][problem.fix] += 1
        ((fix, _),) = fixes[key].most_common(1)
        groups[key] = replace(problem, count=count, fix=fix)

    for problem in sorted(found, key=lambda problem: problem.at):
        add(problem)
    return [*reversed(groups.values())]


def _of_complaint(one: Complaint) -> Problem:
    _, place = problem_key(one.kind, one.place)
    debug = " (seen in debug mode only)" if one.only_debug else ""
    what = clean(" · ".join(part for part in (one.message, one.error) if part)) + debug
    who = clean(one.task_name or "")
    return Problem(
        one.kind, place, 1, one.at, what, who, one.meaning, one.fix,
        owner=one.owner, task_id=one.task_id, line=one.place,
    )  # fmt: skip


def _of_stall(one: Stall) -> Problem:
    _, where = problem_key("stall", one.where)
    lasts = one.ended is None
    # What tells stalls apart comes first: there is not always room for all of it.
    spent, mostly = one.spent.in_words, one.spent.mostly
    what = f"{duration(one.lasted)}{f' at {where}' if where else ''}: the loop {'is' if lasts else 'was'} blocked"
    what += f", {spent}" if spent else ""
    fix = STALL_FIX if mostly is None else STALL_FIXES[mostly[0]]
    at = one.began if one.ended is None else one.ended
    who = clean(one.task_name or "")
    return Problem(
        "stall", where, 1, at, what, who, STALL_MEANS, fix, lasts,
        owner=one.owner, task_id=one.task_id, line=one.place,
    )  # fmt: skip


def _of_unheard(one: TaskRecord) -> Problem:
    _, place = problem_key(UNHEARD, one.error_at)
    what = clean(" · ".join(part for part in ("a task failed, and nobody has heard of it", one.error) if part))
    return Problem(
        UNHEARD, place, 1, one.since, what, clean(one.name), UNHEARD_MEANS, UNHEARD_FIX,
        owner=one.owner, task_id=one.id, line=one.error_at,
    )  # fmt: skip
