"""Whether the app's books and its clients' agree, connection by connection and to the byte.

What has to be equal, whatever keys were pressed and whatever faults were injected:

* Every connection the app has in its books from the crowd's address is a client's, and every connection on which a
  client has heard anything is in the app's books, once.
* Where a client has heard all that it was owed, the server has received every byte it has sent; and where the server
  says that this peer has closed, or has said boom, it has sent exactly what the client has heard.
* Who said boom, and was heard, is a boom in the books; and there is no boom of a peer that did not say it.
* What the app's summary says at the end is the sum of its connections, and of its booms.
* The loop complains only of what keys and faults provoke: no callback has raised, and no instrument is switched off.
* Wrong bytes come back only where a fault is on record to have corrupted them, and a server that says *closed by peer*
  is not contradicted by a peer that says it was hung up on, unless a fault is on record to have broken the connection.

What TCP itself leaves open stays open, within the bounds it has: where one side ends a connection while bytes are on
their way (a key, a fault, a signal, a client that resets or has waited too long), a server has received at most what
its client has sent and at least what it has answered, and it has sent at least what its client has heard. A
connection that was refused, or reset in the system's queue, on which nobody has heard anything, may be in the app's
books or not.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from support_crowd import DROPPED, SOURCE, Books, Visit

Row = dict[str, Any]

#: How the summary says what a server has done.
_SUMMARY = re.compile(r"^ *(\w+) +([\d,]+) connections?, ([\d,]+) B in, ([\d,]+) B out, ([\d,]+) booms?$", re.MULTILINE)

#: The complaints that keys and faults provoke: a program that handles its own mistakes has no others.
PROVOKED = frozenset({"never retrieved", "never awaited", "destroyed pending", "slow step", "wrong thread"})

#: Those that one fault provokes, and nothing else does.
PROVOKED_BY = {"task made while cancelled": "task-in-cancel", "cancellation swallowed": "swallow-cancel"}

#: The outcomes of a handler that raised.
_FAILED = re.compile(r"(handled, socket closed|unretrieved, socket left open|retained, socket left open)")

#: How a visit ends on whose way bytes may have been.
CUT_OFF = frozenset({"hung up", "gave up", "tears", "refused"})

#: How far two clocks of one machine, of two processes and read at two moments, may be apart, in seconds.
CLOCKS = 0.05


@dataclass
class Sums:
    """What a server has done."""

    connections: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    booms: int = 0


@dataclass
class Verdict:
    """What the comparison has come to."""

    wrong: list[str] = field(default_factory=list)
    """What does not agree; empty if all does."""
    strict: int = 0
    """The connections of which every number had to be equal, and was."""
    bounded: int = 0
    """Those that were cut off with bytes on their way."""
    slack: int = 0
    """How many bytes the bounds of all of those leave open."""
    unheard: int = 0
    """Connections on which nobody has heard anything, and which are not in the app's books."""
    ends: Counter[str] = field(default_factory=Counter)
    """How the clients ended."""
    reasons: Counter[str] = field(default_factory=Counter)
    """How the servers say that the crowd's connections ended."""
    own: int = 0
    """The connections of the app's own clients and probes."""
    faults: Counter[str] = field(default_factory=Counter)
    """The faults that were injected."""
    complaints: Counter[str] = field(default_factory=Counter)
    """What the loop complained of."""


def rows_of(ledger: Path) -> list[Row]:
    """Return what the witness has written."""
    with ledger.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def compare(rows: Sequence[Row], crowd: Books, summary: str) -> Verdict:
    """Compare what the app has written down with what the crowd has, and with what it says in its summary."""
    verdict = Verdict()
    closed = [row for row in rows if row["kind"] == "closed"]
    booms = [row for row in rows if row["kind"] == "boom"]
    _compare_summary(verdict, closed, booms, summary)
    by_peer = {row["connection"] for row in booms if row["cause"] == "peer"}
    corrupted = {row["connection"] for row in rows if row["kind"] == "fault_struck" and row["name"] == "corrupt"}
    ours: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in sorted(closed, key=lambda row: row["connection"]):
        if row["peer"].startswith(f"{SOURCE}:"):
            ours[row["server"], row["peer"]].append(row)
        else:
            verdict.own += 1
    theirs: defaultdict[tuple[str, str], list[Visit]] = defaultdict(list)
    for visit in sorted(crowd.visits, key=lambda visit: visit.at):
        theirs[visit.server, f"{SOURCE}:{visit.port}"].append(visit)
    for key, records in ours.items():
        if key not in theirs:
            verdict.wrong.append(f"{key}: in the app's books, and no client knows of it")
        for row, visit in _pairs(verdict, records, theirs.pop(key, [])):
            _compare_one(verdict, row, visit, boomed=row["connection"] in by_peer)
            if visit.wrong and row["connection"] not in corrupted:
                verdict.wrong.append(f"{_name(row)}: wrong bytes came back, and no fault has corrupted them")
    for visits in theirs.values():
        _never_there(verdict, visits)
    verdict.ends.update(visit.end for visit in crowd.visits)
    verdict.faults.update(row["name"] for row in rows if row["kind"] == "fault_injected")
    complaints = [row for row in rows if row["kind"] in ("complaint", "instrument_disabled")]
    verdict.complaints.update(_complaint(row) for row in complaints)
    verdict.wrong += [f"{_complaint(row)}: {row}" for row in complaints if not _is_provoked(row, verdict.faults)]
    return verdict


def _compare_summary(verdict: Verdict, closed: Iterable[Row], booms: Iterable[Row], summary: str) -> None:
    sums: defaultdict[str, Sums] = defaultdict(Sums)
    for row in closed:
        sums[row["server"]].connections += 1
        sums[row["server"]].bytes_in += row["bytes_in"]
        sums[row["server"]].bytes_out += row["bytes_out"]
    for row in booms:
        sums[row["server"]].booms += 1
    said = {
        server: Sums(*(int(number.replace(",", "")) for number in numbers))
        for server, *numbers in _SUMMARY.findall(summary)
    }
    if said != sums:
        verdict.wrong.append(f"the summary says {said}, and its connections come to {dict(sums)}")


def _pairs(verdict: Verdict, records: list[Row], visits: list[Visit]) -> Iterable[tuple[Row, Visit]]:
    """Yield which record is which visit's: from the last on, the latest that had begun when the app took it in.

    Who comes from one port to one server comes, and is taken in, one after the other. On who was never taken in
    nobody can have heard anything.
    """
    left = list(visits)
    for row in reversed(records):
        opened = datetime.fromisoformat(row["time"]).timestamp() - row["seconds"]
        begun = sum(visit.at <= opened + CLOCKS for visit in left)
        _never_there(verdict, left[begun:])
        if not begun:
            verdict.wrong.append(f"{_name(row)}: in the app's books once more than its clients'")
            left = []
            continue
        yield row, left[begun - 1]
        left = left[: begun - 1]
    _never_there(verdict, left)


def _never_there(verdict: Verdict, visits: Iterable[Visit]) -> None:
    for visit in visits:
        if visit.heard:
            verdict.wrong.append(f"{visit}: has heard something, and is not in the app's books")
        verdict.unheard += 1


def _compare_one(verdict: Verdict, row: Row, visit: Visit, *, boomed: bool) -> None:
    reason, received, sent = row["reason"], row["bytes_in"], row["bytes_out"]
    failed = bool(_FAILED.search(reason))
    verdict.reasons[re.sub(r"\d+", "N", reason)] += 1
    whole = visit.heard == visit.owed and not visit.dropped and visit.end not in CUT_OFF
    wrong = []
    if whole and (visit.end != "booms" or boomed) and received != visit.sent:
        wrong.append("not all that was sent has been received, though all is answered")
    if whole and (reason == "closed by peer" or boomed) and sent != visit.heard:
        wrong.append("not as much was sent as was heard")
    echoed = visit.heard - len(DROPPED) * visit.dropped
    if not echoed <= received <= visit.sent:
        wrong.append("more was received than sent, or less than answered")
    if not visit.heard <= sent <= received + len(DROPPED):
        wrong.append("less was sent than heard, or more than received")
    if boomed and not visit.boom:
        wrong.append("a boom that nobody has said")
    if visit.boom and failed and not boomed and "fault" not in row and visit.end == "booms":
        wrong.append("a boom that is not in the books")
    if reason == "closed by peer" and visit.end in ("hung up", "booms") and "fault" not in row:
        wrong.append("its peer says it was hung up on")
    verdict.wrong += [f"{_name(row)}: {what}: {row} {visit}" for what in wrong]
    if whole and (reason == "closed by peer" or boomed or (received == visit.sent and sent == visit.heard)):
        verdict.strict += 1
    else:
        verdict.bounded += 1
        verdict.slack += visit.sent - echoed


def _name(row: Row) -> str:
    return f"connection {row['connection']} of {row['server']}"


def _is_provoked(row: Row, faults: Container[str]) -> bool:
    """Return whether keys and faults explain a complaint; of the screen's own tasks only that they are slow."""
    about = row.get("about")
    if about in PROVOKED_BY:
        return PROVOKED_BY[about] in faults
    return about in PROVOKED and (row.get("owner") != "ui" or about == "slow step")


def _complaint(row: Row) -> str:
    words = (row.get("about"), row.get("instrument"), row.get("message"), row.get("error"))
    return re.sub(r"\d+", "N", " · ".join(str(word) for word in words if word))
