"""What people would rather look at than read: how a few numbers went in the last minutes, beside each other."""

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

from textual.app import ComposeResult
from textual.containers import Horizontal

from echotui.server.events import duration

from .. import numbers
from ..bindings import key_of
from ..picture import Picture
from ..widgets.chart import Chart, Series, seconds_a_bar


class ChartsPane(Horizontal):
    """Draws charts of a picture, while it is to be seen.

    Args:
        sources: what each chart shows.
        key: the id of the key that brings back what they stand in the place of; it is named in the last one's frame.
    """

    def __init__(
        self, picture: Picture, *sources: Callable[[Picture], Series], id: str | None = None, key: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.picture = picture
        self._sources = sources
        self._key = key
        self._charts = [Chart() for _ in sources]

    def compose(self) -> ComposeResult:
        """Yield the charts."""
        yield from self._charts

    def steps(self) -> Iterator[None]:
        """Draw what is new, at once: a chart is one picture."""
        self.repaint()
        yield

    def repaint(self) -> None:
        """Draw what is new."""
        if not self.display:
            return
        samples = self.picture.vitals().samples
        series = [source(self.picture) for source in self._sources]
        # One scale for all: what stands at the same place was at the same time.
        most = max(len(one.values) for one in series)
        a_bar = seconds_a_bar(most, min(chart.room for chart in self._charts))
        back = "" if self._key is None else f"{key_of(self, self._key)}: back · "
        for chart, one in zip(self._charts, series, strict=True):
            chart.show(one, samples, a_bar, back if chart is self._charts[-1] else "")

    def on_resize(self) -> None:
        """Draw at once when it comes into sight."""
        self.call_after_refresh(self.repaint)


def throughput(picture: Picture, server: str | None) -> Series:
    """Return the reads a second of a server, or of all together where that is None."""
    rates = picture.vitals().rates
    if server is not None:
        history: Sequence[float] = [*rates[server].history] if server in rates else []
        return Series(f"Reads/s of {server}", history, numbers.count)
    return Series("Reads/s of all servers", _sum([[*one.history] for one in rates.values()]), numbers.count)


def lag(picture: Picture) -> Series:
    """Return by how much timers of the loop fired late, the latest of each second."""
    return Series("Lag", [*picture.vitals().lags], duration)


def turn(picture: Picture) -> Series:
    """Return the longest turn of the loop in each second."""
    return Series("Longest turn", [*picture.vitals().turns], duration, _why_no_ticks(picture))


def load(picture: Picture) -> Series:
    """Return the share of each second in which the loop ran."""
    return Series("Loop runs", [*picture.vitals().loads], numbers.share, _why_no_ticks(picture))


def _why_no_ticks(picture: Picture) -> str | None:
    return "this loop is not an observed one" if picture.watched is None else picture.watched.why_no_ticks


def _sum(histories: Sequence[Sequence[float]]) -> list[float]:
    """Return the sums of histories that end at the same second; before its first number one counts as 0."""
    backwards = zip_longest(*map(reversed, histories), fillvalue=0)
    return [*map(sum, backwards)][::-1]
