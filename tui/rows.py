"""Journal entries as rows of JSON, the same for every command that prints them."""

from datetime import UTC, datetime

from echotui.server.journal import Entry


def row_of(entry: Entry) -> dict[str, object]:
    """Return an entry with its time, number, and fault if one has caused it, ready for JSON."""
    row: dict[str, object] = {"time": iso(entry.time), "seq": entry.seq, **entry.event.as_dict()}
    if entry.fault is not None:
        row["fault"] = entry.fault
    return row


def iso(seconds: float) -> str:
    """Return seconds since the epoch as ``2026-01-31T12:00:00.123456Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
