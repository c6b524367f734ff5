"""A chart of something that is measured once a second: bars from zero, the newest on the right, drawn by Textual.

It is drawn anew when there is a new number, at most once a second, and not at all where nobody sees it. A bar is a
whole number of seconds and keeps its seconds as it moves to the left: what one sees stays what it is.
"""

import textwrap
from collections.abc import Callable, Sequence
from math import ceil

from rich.segment import Segment
from textual.app import ComposeResult
from textual.strip import Strip
from textual.widgets import Sparkline

from echotui.server.value import value

from .framed import Framed
from .lines import fit


@value
class Series:
    """What a chart shows: a number for each second."""

    title: str
    """What it is of, in clean text, for a number behind it."""
    values: Sequence[float]
    """The numbers, the newest last."""
    says: Callable[[float], str]
    """Says one of them for people, with its unit."""
    why_not: str | None = None
    """Why there are no numbers; None where there are, or will be."""


class Bars(Sparkline):
    """Textual's bars, without those that stand for what was not measured: that is nothing, which is not zero."""

    unknown = 0
    """How many cells on the left are left empty."""
    why_none = ""
    """Why there are no bars at all, to be read in their place."""

    def render_line(self, y: int) -> Strip:
        """Return a line of the bars, in as few pieces as it can be written to the terminal."""
        width = self.size.width
        if self.why_none and width:
            why = textwrap.wrap(self.why_none, width)
            return Strip([Segment(fit(why[y] if y < len(why) else "", width), self.rich_style)], width)
        strip = super().render_line(y).crop(self.unknown).simplify()
        return Strip.join([Strip.blank(self.unknown, self.rich_style), strip])


class Chart(Framed):
    """Draws one series."""

    DEFAULT_CSS = """
    Chart { width: 1fr; height: 1fr; }
    Chart Bars {
        height: 1fr;
        & > .sparkline--max-color, & > .sparkline--min-color { color: $accent; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._bars = Bars([], summary_function=max)
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        """Yield the bars."""
        yield self._bars

    @property
    def room(self) -> int:
        """How many cells wide its bars can be; 0 as long as it has no place on the screen."""
        return self._bars.size.width

    def show(self, series: Series, samples: int, a_bar: int, hint: str = "") -> None:
        """Draw a series of which `samples` numbers were measured in all, unless this is what was drawn last.

        A bar is `a_bar` seconds; what does not fit is left out on the left. A hint stands before the title.
        """
        width = self.room
        drawn = series.title, samples, width
        if not width or drawn == self._drawn:
            return
        self._drawn = drawn
        values = series.values
        if series.why_not is not None or not values:
            self._bars.why_none, self._bars.data = series.why_not or "nothing is measured yet", None
            self._bars.refresh()
            self.label(f"{hint}{series.title}")
            return
        heights = bars(values, samples, a_bar)[1 - width :]
        # Textual draws the lowest as nothing: there is always a zero, where nobody sees it, and nothing is the zero.
        self._bars.why_none, self._bars.unknown = "", width - len(heights)
        self._bars.data = [0.0] * self._bars.unknown + heights
        now, most = series.says(values[-1]), series.says(max(values))
        self.label(f"{hint}{series.title}: {now}", f"most {most} · {a_bar} s/bar")

    def on_resize(self) -> None:
        """Fit the bars to the new size when there is a new number."""
        self._drawn = None


def seconds_a_bar(seconds: int, width: int) -> int:
    """Return how many whole seconds a bar is, so that so many seconds fit into so many cells but one."""
    return max(ceil(seconds / max(width - 2, 1)), 1)


def bars(values: Sequence[float], samples: int, a_bar: int) -> list[float]:
    """Return the height of each bar, the newest last: the highest number of its `a_bar` seconds.

    `samples` is how many numbers there were in all: a number belongs to the same bar for as long as it is shown.
    """
    heights: dict[int, float] = {}
    for number, one in enumerate(values, samples - len(values)):
        heights[number // a_bar] = max(heights.get(number // a_bar, one), one)
    return [*heights.values()]
