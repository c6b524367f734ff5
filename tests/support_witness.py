"""The app itself, with a second pen at its journal: ``python tests/support_witness.py FILE [echotui's own options]``.

Every connection's end, every boom, fault and complaint is written into the file as a line of JSON, while the app runs
as it always does. SIGUSR1 lets it say where every task waits. Details of every read and write are left out: there are
too many.
"""

import asyncio
import functools
import json
import signal
import sys
from pathlib import Path

from echotui.server.journal import Entry, Journal
from echotui.tui import cli, run
from echotui.tui.rows import row_of

#: What is not written: there is one of these for every thing that comes and goes, and the books do not need it.
DULL = frozenset({"details_skipped", "half_closed", "listening", "listener_closed", "cancel_asked"})


def _tell_tasks(*_: object) -> None:
    """Say on stderr where every task waits."""
    for task in asyncio.all_tasks(asyncio.get_running_loop()):
        print(task.get_name(), task.get_coro(), file=sys.__stderr__)
        task.print_stack(file=sys.__stderr__)


def main() -> int:
    with Path(sys.argv[1]).open("w", 1, encoding="utf-8", errors="backslashreplace") as file:

        def write(entry: Entry) -> None:
            if not entry.event.detail and entry.event.kind not in DULL:
                file.write(json.dumps(row_of(entry)) + "\n")

        journal = Journal()
        journal.subscribe(write)
        signal.signal(signal.SIGUSR1, _tell_tasks)
        run.run = functools.partial(run.run, journal=journal)
        return cli.main(sys.argv[2:])


if __name__ == "__main__":
    raise SystemExit(main())
