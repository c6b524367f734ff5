"""What the smallest pieces cost: an event recorded, a detail skipped, a connection's record kept up to date, an answer.

    python tests/benchmarks/pieces.py [--rounds 15]

Nanoseconds of CPU time for each, an empty loop's taken off: least, median, most over the rounds. Beside them the same
in units of the cheapest thing there is, adding one to an attribute, so that machines can be compared.
"""

import argparse
import statistics
from collections.abc import Callable
from itertools import repeat
from time import process_time

from echotui.server import events
from echotui.server.conversation import Conversation
from echotui.server.journal import Journal
from echotui.server.records import Connection, ServerRecord

LINE = b"x" * 62 + b"\r\n"

#: How often each piece runs in a round.
TIMES = 50_000


def pieces() -> dict[str, Callable[[], object]]:
    """Return the pieces by name."""
    journal, full, quiet = Journal(detail_rate=None), Journal(1000, detail_rate=None), Journal(detail_rate=0)
    record = ServerRecord("selectors", "select(1)", "127.0.0.1", 8000)
    connection = Connection(id=1, server="selectors", peer="127.0.0.1:50000", fd=10, opened_at=0.0)
    conversation = Conversation()
    event = events.Received("selectors", 1, "127.0.0.1:50000", 64, LINE)

    def add_one() -> None:
        record.reads += 1

    def make_and_record() -> None:
        journal.record(events.Received("selectors", 1, "127.0.0.1:50000", 64, LINE))

    def skip() -> None:
        if quiet.details_open:
            quiet.record(event)
        else:
            quiet.details_skipped += 1

    def update() -> None:
        connection.reads += 1
        connection.bytes_in += 64
        connection.last_in = LINE
        connection.last_in_at = 1.0
        record.reads += 1
        record.bytes_in += 64
        connection.bytes_out += 64
        record.bytes_out += 64

    return {
        "add one to an attribute": add_one,
        "make and record an event": make_and_record,
        "record an event, ring full": lambda: full.record(event),
        "skip a detail": skip,
        "update a connection for a message": update,
        "answer a message": lambda: conversation.receive(LINE),
    }


def cost(piece: Callable[[], object]) -> float:
    """Return the nanoseconds of CPU time that a piece takes, called once."""
    began = process_time()
    for _ in repeat(None, TIMES):
        piece()
    return (process_time() - began) / TIMES * 1e9


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    known = {"nothing": lambda: None, **pieces()}
    results: dict[str, list[float]] = {name: [] for name in known}
    for _ in range(options.rounds):
        for name, piece in known.items():
            results[name].append(cost(piece))
    nothing = statistics.median(results.pop("nothing"))
    unit = statistics.median(results["add one to an attribute"]) - nothing
    for name, values in results.items():
        least, middle, most = min(values) - nothing, statistics.median(values) - nothing, max(values) - nothing
        print(f"{name:35} {least:7.0f} {middle:7.0f} {most:7.0f} ns   × {middle / unit:5.1f}")


if __name__ == "__main__":
    main()
