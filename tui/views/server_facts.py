"""One server in detail: where it listens, how it waits, what it got through, and why it does not serve."""

from collections.abc import Iterator

from echotui.server.records import ServerRecord

from .. import numbers
from ..text import clean
from ..widgets.lines import Piece


def facts_of(record: ServerRecord) -> list[list[Piece]]:
    """Return what there is to say of a server, a line each."""
    return [[(f"{name:<10}", "dim"), (text, style)] for name, text, style in _facts(record)]


def _facts(record: ServerRecord) -> Iterator[tuple[str, str, str]]:
    yield "state", record.state.value, ""
    if record.why:
        yield "why", clean(record.why), "alarm"
    if record.port:
        yield "at", f"{record.host} port {record.port}", "accent"
    yield "waits by", record.waits_by, ""
    yield "open", f"{record.open:,} of {record.accepted:,} accepted", ""
    if record.queued is not None:
        yield "queue", f"{numbers.counted(record.queued, 'peer')} not accepted yet", "warn" if record.queued else ""
    yield "in", f"{record.bytes_in:,} B in {numbers.counted(record.reads, 'read')}", ""
    yield "out", f"{record.bytes_out:,} B", ""
    yield "booms", f"{record.booms:,}", ""
    if record.treatment is not None:
        yield "errors", f"{record.treatment}: what becomes of a task that fails", ""
    if record.idle_timeouts:
        yield "idle", f"{numbers.counted(record.idle_timeouts, 'connection')} closed for saying nothing", ""
    if record.select_timeouts is not None:
        yield "no events", f"{numbers.counted(record.select_timeouts, 'time')}: its select came back empty", ""
