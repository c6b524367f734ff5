"""The sequence of events of a script: what was decided and what came of it, without what clock and system choose.

The same script with the same seed has the same sequence, on any machine. It is told fault by fault and connection by
connection, because what happens to different connections at the same time has no order.
"""

import hashlib
from collections.abc import Iterable

from ..journal import Entry

#: The fields that say when and where, or what the system has chosen: no part of the sequence. The seed is none either:
#: it is the decisions that count.
_BESIDE = frozenset(
    {
        "host", "port", "fd", "peer", "seconds", "lasted", "waited",
        "measured", "seed", "strikes", "bytes_in", "bytes_out", "task_id",
    }
)  # fmt: skip

_KINDS = frozenset(
    {
        "accepted", "closed", "boom", "half_closed", "cancel_asked", "silent", "complaint", "accept_failed",
        "listener_closed", "server_stopped", "listening",
        "fault_injected", "fault_struck", "fault_acted", "fault_ended",
    }
)  # fmt: skip

_OF_THE_LOOP = frozenset({"slow step", "logged"})


def sequence(entries: Iterable[Entry]) -> list[str]:
    """Return the sequence of the events in these entries, a line each."""
    stories: dict[tuple[int, int], list[str]] = {}
    for entry in entries:
        row = entry.event.as_dict()
        caused = entry.fault is not None
        if row["kind"] not in _KINDS or (row["kind"] == "complaint" and not caused) or row.get("about") in _OF_THE_LOOP:
            continue
        told = ", ".join(f"{name} {value}" for name, value in row.items() if name not in _BESIDE and name != "kind")
        cause = f"[fault {entry.fault}] " if caused else ""
        about = (1, entry.event.about_connection) if entry.event.about_connection else (0, entry.fault or 0)
        stories.setdefault(about, []).append(f"{cause}{row['kind']}: {told}")
    return [line for about in sorted(stories) for line in stories[about]]


def digest(lines: Iterable[str]) -> str:
    """Return a short name for a sequence: equal for equal ones."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
