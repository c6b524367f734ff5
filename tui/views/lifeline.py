"""A cancellation's life-line, drawn in time: asked → delivered → what became of it."""

from echotui.server.events import duration
from echotui.server.observe.cancellations import Cancellation, Outcome

from ..numbers import counted
from ..text import clean, shortened
from ..widgets.lines import Piece

_STYLES = {
    Outcome.OBEYED: "good",
    Outcome.UNCANCELLED: "good",
    Outcome.SWALLOWED: "alarm",
    Outcome.REPLACED: "alarm",
    Outcome.ASKED: "warn",
    Outcome.CLEANING_UP: "warn",
    Outcome.NOT_DELIVERED: "dim",
}


def lifeline(one: Cancellation, width: int, now: float) -> list[list[Piece]]:
    """Return the lines that draw a cancellation. `now` is by the clock of its times.

    The bar is to scale: how long it was on its way, and how long the task took over it.
    """
    style = _STYLES[one.outcome]
    by = f" by {one.asker_name}" if one.asker_name else ""
    lines: list[list[Piece]] = [
        [(f"cancellation {one.id} ", "head"), (one.outcome.value, style)],
        _bar(one, max(width - 2, 4), now),
        [(" asked     ", "dim"), (clean(f"{one.reason}{by}"), "")],
        _place("   at      ", one.asked_from),
    ]
    if one.message:
        lines.append([("   saying  ", "dim"), (clean(one.message), "")])
    if one.again:
        lines.append([("   again   ", "dim"), (f"asked {counted(one.again, 'time')} more while this is open", "warn")])
    if one.shielded:
        lines.append([("   shielded", "dim"), (clean(f" {one.shielded} goes on"), "")])
    if one.delivered_at is not None:
        first = "before its first step" if one.before_first_step else ""
        lines.append([(" delivered ", "dim"), (f"+{duration(one.delivered_at - one.asked_at)} {first}", "")])
        lines.append(_place("   at      ", one.delivered_in))
    if one.settled_at is not None:
        goes_on = one.ended_at is None and one.outcome in (Outcome.SWALLOWED, Outcome.UNCANCELLED)
        took = "" if one.clean_up is None or goes_on else f", clean-up took {duration(one.clean_up)}"
        error = "" if one.error is None else f" {clean(one.error)}"
        label = " went on   " if goes_on else " ended     "
        lines.append([(label, "dim"), (f"+{duration(one.settled_at - one.asked_at)}{took}{error}", style)])
    return lines


def _place(label: str, place: object) -> list[Piece]:
    return [(label, "dim"), (clean(shortened(str(place))) if place else "nowhere in the program", "")]


def _bar(one: Cancellation, width: int, now: float) -> list[Piece]:
    """Return asked ├──▶ delivered ━━━● ended, to scale."""
    end = one.settled_at if one.settled_at is not None else now
    whole = max(end - one.asked_at, 1e-9)
    if one.delivered_at is None:
        return [(" ├" + "╌" * (width - 2), "warn"), ("●" if one.settled else "…", "dim")]
    on_its_way = min(round((one.delivered_at - one.asked_at) / whole * (width - 3)), width - 3)
    return [
        (" ├" + "─" * on_its_way + "▶", "dim"),
        ("━" * (width - 3 - on_its_way), _STYLES[one.outcome]),
        ("●" if one.settled else "…", _STYLES[one.outcome]),
    ]
