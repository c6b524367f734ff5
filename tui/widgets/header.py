"""The one line on top that says what runs, how it is, and what watching it costs."""

from collections.abc import Callable, Sequence

from echotui.server.records import ServerRecord, ServerState

from .. import numbers
from ..bindings import hint, may_change
from ..picture import Picture
from .lines import Line, LiveLines, Piece

#: How many views one has come through are named.
WAY = 2

#: What is not known.
UNKNOWN = "–"

#: What is said while other machines may connect.
EXPOSED = " ! open to the network "

#: What is said while the keys that change something are taken away.
READ_ONLY = " read-only "


class Header(LiveLines):
    """Draws a picture's vitals. Where there is no room for all, the least important parts are left out."""

    DEFAULT_CSS = """
    Header { height: 1; background: $panel; color: $foreground; }
    """

    def __init__(self, picture: Picture, view: str) -> None:
        super().__init__()
        self._view = view
        self.picture = picture
        self.trail: tuple[str, ...] = ()
        """The views one has come through by links, the latest last."""

    def lines(self, width: int, height: int) -> Sequence[Line]:  # noqa: ARG002
        """Return the line."""
        vitals, painting = self.picture.vitals(), self.picture.painting()
        known = [
            (0, (f" echotui › {self._way()} ", "accent")),
            (1, (f" {self.picture.loop} ", "")),
            (3, (f" {self.picture.python} ", "dim")),
            (0, ("" if may_change(self) else READ_ONLY, "accent")),
            (0, self._state()),
            (0, (EXPOSED if any(map(_is_exposed, self.picture.servers)) else "", "alarm")),
            (2, (f" up {numbers.clock(self.picture.now() - self.picture.started_at)} ", "")),
            (1, (f" cpu {_or_unknown(vitals.cpu, numbers.share)} ", "")),
            (2, (f" rss {_or_unknown(vitals.rss, numbers.memory)} ", "")),
            (2, (f" fds {_or_unknown(vitals.fds, numbers.count)} ", "")),
            (1, (f" lag {_or_unknown(vitals.lag, _milliseconds)} ", "warn" if (vitals.lag or 0) > 0.1 else "")),
            (1, (f" painting {_or_unknown(painting and painting.cost, numbers.share)} ", "dim")),
            (3, (f"{painting.frames:.0f}/s " if painting else "", "dim")),
        ]
        while sum(len(text) for _, (text, _) in known) > width:
            least = max(rank for rank, _ in known)
            if not least:
                break
            known.remove(next(part for part in reversed(known) if part[0] == least))
        return [self.line([piece for _, piece in known], width)]

    def _way(self) -> str:
        left_out = ["…"] if len(self.trail) > WAY else []
        return " › ".join([*left_out, *self.trail[-WAY:], self._view])

    def _state(self) -> Piece:
        missed, until = self.picture.missed, self.picture.draining_until()
        if missed is not None:
            return f" ‖ PAUSED, {numbers.counted(missed(), 'event')} since ", "warn"
        if until is not None:
            left = max(until - self.picture.now(), 0)
            return f" ◐ draining, {self._open()} open, {left:.1f} s left ", "warn"
        servers = self.picture.servers
        states = {record.state for record in servers if record.wanted or record.state is ServerState.SERVING}
        if states == {ServerState.SERVING}:
            return " ● serving ", "good"
        if ServerState.SERVING in states:
            return " ◐ serving in part ", "warn"
        if ServerState.FAILED in states:
            return f" ✗ not serving{hint(self, 'app.restart', 'tries again')} ", "alarm"
        # Where none is wanted, each was stopped by a key of its own.
        starts = ("app.restart", "starts again") if states else ("app.start_or_stop", "starts one")
        return f" ○ stopped{hint(self, *starts)} ", "warn"

    def _open(self) -> int:
        return len(self.picture.connections.open)


def _is_exposed(record: ServerRecord) -> bool:
    return record.exposed and record.state is ServerState.SERVING


def _or_unknown(value: float | None, text: Callable[[float], str]) -> str:
    return UNKNOWN if value is None else text(value)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f}ms"
