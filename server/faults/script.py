"""Fault scripts: what is to happen when, and what is expected then, read from a TOML file and checked whole.

seed = 7
servers = ["selectors", "sockets"]
clients = 3                                     # of each server; blocking takes one at a time, so it has one
seconds = 2.0                                   # how long it goes, by its own clock
patience = 1.0                                  # how long a client waits for an echo, in seconds

[[step]]
after = { accepts = 3, server = "sockets" }     # or { bytes = 1000, server = … } or { seconds = 0.5 }
fault = "latency"
into = { connection = 2, server = "sockets" }   # its 2nd; or { server = … } or { loop = true }
with = { ms = 50, jitter = 20 }
lasts = 0.5                                     # seconds, by its own clock; else it ends by itself, or with the script
toxicity = 1.0

[[expect]]
others_keep_echoing = true

[[expect]]
recovers_within = 1.0                           # seconds, by everybody's clock

The script's own clock goes by rounds. In each, every client says a line and waits for its echo, and the clock goes on
by 0.05 s. A client that gets no echo holds it up until its patience is over; then it hangs up and comes again. So where
echoes are lost, `seconds`, `lasts` and `after = { seconds = … }` take longer than they say: with one lost in every
round, 20 × patience for each second. That is how the same seed makes the same events on any machine. At the end there
may be 10 s more, until all echo again. `echotui serve --faults` has no clients, and goes by everybody's clock.
"""

import codecs
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..naming import ordinal
from ..servers import SERVERS
from ..settings import SERVER_NAMES
from .catalogue import On, kind_of
from .parameters import BadFault, Values, shown

#: The longest a script may go, in seconds.
LONGEST = 3_600.0

#: How many clients a server may have.
MOST_CLIENTS = 200

#: The largest seed: an integer of TOML.
MOST_SEED = 2**63 - 1

#: How large the file may be, in bytes: many times what there is to say.
MOST = 1024 * 1024


class BadScript(ValueError):
    """A script that cannot be run; the message says in one line what is wrong and what is allowed."""


@dataclass(frozen=True, slots=True)
class After:
    """When a step is due: all times and counts are since the script began."""

    seconds: float = 0.0
    accepts: int = 0
    bytes: int = 0
    server: str | None = None
    """The server that counts accepts or bytes."""

    def __str__(self) -> str:
        if self.server is None:
            return f"after {self.seconds:g} s"
        count = f"{self.accepts} accepts" if self.accepts else f"{self.bytes} bytes"
        return f"after {count} on {self.server}"


@dataclass(frozen=True, slots=True)
class FaultStep:
    """One step: a fault, when, into what, and for how long."""

    after: After
    fault: str
    params: Values
    on: On
    server: str | None
    connection: int | None
    """The how-manieth connection the server has accepted, from 1."""
    lasts: float | None
    toxicity: float

    def __str__(self) -> str:
        return self.told()

    def told(self, connection: int | None = None) -> str:
        """Return it in words; `connection` is the id of the one that it has gone into, once that is known."""
        return f"{self.after}: {self.fault} into {self.into(connection)}"

    def into(self, connection: int | None = None) -> str:
        """Return what it goes into, in words.

        Everywhere else "connection 2" is an id, counted over all servers: the script's number has other words.
        """
        if self.connection is None:
            return self.server or "the loop"
        place = f"the {ordinal(self.connection)} connection of {self.server}"
        return place if connection is None else f"{place} (connection {connection})"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected: `kind` is a key of `EXPECTATIONS`."""

    kind: str
    value: float

    def __str__(self) -> str:
        return EXPECTATIONS[self.kind].format(f"{self.value:g}")


#: What can be expected, in words.
EXPECTATIONS = {
    "others_keep_echoing": "others keep echoing",
    "recovers_within": "recovers within {} s",
    "broken": "{} clients lose their echo",
    "complaints": "{} complaints",
}


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script."""

    title: str
    seed: int
    servers: tuple[str, ...]
    clients: int
    """How many clients each server has, but one where it takes one at a time."""
    seconds: float
    """How long it goes, by its own clock."""
    patience: float
    """How long a client waits for its echo, in seconds, before it hangs up and comes again."""
    steps: tuple[FaultStep, ...]
    expectations: tuple[Expectation, ...]


def load(path: Path) -> Script:
    """Read a script from a file.

    Raises:
        BadScript: if it cannot be read, is no TOML, or says something that is not possible.
    """
    try:
        with path.open("rb") as file:
            return read(_text(file.read(MOST + 1)))
    except OSError as error:
        raise BadScript(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadScript(f"{path} is not UTF-8 text") from None
    except BadScript as error:
        raise BadScript(f"{path}: {error}") from None


def _text(data: bytes) -> str:
    if len(data) > MOST:
        raise BadScript(f"it is larger than {MOST // 1024} KiB: that is not a script of faults")
    return data.removeprefix(codecs.BOM_UTF8).decode()


def read(text: str) -> Script:
    """Read a script from its text.

    Raises:
        BadScript: if it is no TOML, or says something that is not possible.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadScript(f"not TOML: {error}") from None
    except (ValueError, RecursionError) as error:  # a number of too many digits, tables in tables without end
        raise BadScript(f"nothing that can be read: {error}") from None
    look = _Table(table, "the script", ("title", "seed", "servers", "clients", "seconds", "patience", "step", "expect"))
    servers = look.names("servers", SERVER_NAMES)
    steps = tuple(_step(step, f"step {at + 1}", servers) for at, step in enumerate(look.tables("step")))
    expectations = tuple(_expectation(one, f"expect {at + 1}") for at, one in enumerate(look.tables("expect")))
    if not expectations:
        raise BadScript(f"the script expects nothing: add [[expect]] with one of {', '.join(EXPECTATIONS)}")
    return Script(
        title=look.text("title", ""),
        seed=look.whole("seed", 0, 0, MOST_SEED),
        servers=servers,
        clients=_clients(look, servers),
        seconds=look.number("seconds", 2.0, 0.1, LONGEST),
        patience=look.number("patience", 1.0, 0.01, 60.0),
        steps=steps,
        expectations=expectations,
    )


class _Table:
    """One table of the file, its keys checked."""

    def __init__(self, table: object, where: str, allowed: tuple[str, ...]) -> None:
        if not isinstance(table, Mapping):
            raise BadScript(f"{where} is not a table: it has {', '.join(allowed)}")
        self.table: Mapping[str, Any] = table
        self.where = where
        for key in table:
            if key not in allowed:
                raise BadScript(f"{where} has no {key!r}: it has {', '.join(allowed)}")

    def number(self, key: str, default: float | None, low: float, high: float) -> float:
        value = self.table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise BadScript(f"{self.where}: {key} = {shown(value)} is not possible: a number, {low:g} to {high:g}")
        return float(value)

    def whole(self, key: str, default: int | None, low: int, high: int) -> int:
        value = self.table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise BadScript(f"{self.where}: {key} = {shown(value)} is not possible: a whole number, {low} to {high}")
        return value

    def true(self, key: str) -> None:
        if self.table[key] is not True:
            raise BadScript(f"{self.where}: {key} = {shown(self.table[key])} is not possible: true, or leave it out")

    def text(self, key: str, default: str | None) -> str:
        value = self.table.get(key, default)
        if not isinstance(value, str):
            raise BadScript(f"{self.where}: {key} is {'missing' if value is None else f'{shown(value)}, not a text'}")
        return value

    def names(self, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        value = self.table.get(key, list(allowed))
        if not isinstance(value, list) or not value or any(name not in allowed for name in value):
            raise BadScript(f"{self.where}: {key} = {shown(value)} is not possible: a list of {', '.join(allowed)}")
        return tuple(name for name in allowed if name in value)

    def name(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.table.get(key)
        if value not in allowed:
            what = "is missing" if value is None else f"= {shown(value)} is not possible"
            raise BadScript(f"{self.where}: {key} {what}: one of {', '.join(allowed)}")
        return str(value)

    def tables(self, key: str) -> list[object]:
        value = self.table.get(key, [])
        if not isinstance(value, list):
            raise BadScript(f"{self.where}: write [[{key}]], with two brackets: there can be several")
        return value

    def one_of(self, *keys: str) -> str:
        found = [key for key in keys if key in self.table]
        if len(found) != 1:
            raise BadScript(f"{self.where} needs one of {', '.join(keys)}, and has {' and '.join(found) or 'none'}")
        return found[0]


def _clients(look: _Table, servers: tuple[str, ...]) -> int:
    """Return how many clients each server has; what a named server cannot have is not asked for."""
    clients = look.whole("clients", 3, 1, MOST_CLIENTS)
    single = [name for name in servers if SERVERS[name].one_at_a_time]
    if clients > 1 and single and "clients" in look.table and "servers" in look.table:
        raise BadScript(
            f"{look.where}: clients = {clients} is not possible with {single[0]}, which takes one at a time: "
            f"write clients = 1, leave {single[0]} out, or leave clients out: then it has one, and others have 3"
        )
    return clients


def _step(table: object, where: str, servers: tuple[str, ...]) -> FaultStep:
    look = _Table(table, where, ("after", "fault", "into", "with", "lasts", "toxicity"))
    try:
        kind = kind_of(look.text("fault", None))
        params = kind.check(_Table(look.table.get("with", {}), f"{where}: with", tuple(_names(kind.name))).table)
    except BadFault as error:
        raise BadScript(f"{where}: {error}") from None
    on, server, connection = _into(look.table.get("into", {"loop": True}), f"{where}: into", servers)
    if on not in kind.targets:
        raise BadScript(f"{where}: {kind.name} cannot be injected into a {on}: {' or '.join(kind.targets)}")
    return FaultStep(
        after=_after(look.table.get("after", {"seconds": 0}), f"{where}: after", servers),
        fault=kind.name,
        params=params,
        on=on,
        server=server,
        connection=connection,
        lasts=look.number("lasts", None, 0.001, LONGEST) if "lasts" in look.table else None,
        toxicity=look.number("toxicity", 1.0, 0.0, 1.0),
    )


def _names(kind: str) -> list[str]:
    return [parameter.name for parameter in kind_of(kind).parameters] or ["no parameters"]


def _after(table: object, where: str, servers: tuple[str, ...]) -> After:
    look = _Table(table, where, ("seconds", "accepts", "bytes", "server"))
    match look.one_of("seconds", "accepts", "bytes"):
        case "seconds":
            if "server" in look.table:
                raise BadScript(f"{where}: seconds are no server's: leave server out, or say accepts or bytes")
            return After(seconds=look.number("seconds", None, 0, LONGEST))
        case "accepts":
            return After(accepts=look.whole("accepts", None, 1, 10**9), server=look.name("server", servers))
        case _:
            return After(bytes=look.whole("bytes", None, 1, 10**12), server=look.name("server", servers))


def _into(table: object, where: str, servers: tuple[str, ...]) -> tuple[On, str | None, int | None]:
    look = _Table(table, where, ("loop", "server", "connection"))
    if "loop" in look.table:
        look.true("loop")
        if len(look.table) > 1:
            raise BadScript(f"{where}: loop = true is not in a server: leave loop out, or all else")
        return On.LOOP, None, None
    if "connection" in look.table:
        return On.CONNECTION, look.name("server", servers), look.whole("connection", None, 1, 10**9)
    look.one_of("loop", "server")
    return On.SERVER, look.name("server", servers), None


def _expectation(table: object, where: str) -> Expectation:
    look = _Table(table, where, tuple(EXPECTATIONS))
    key = look.one_of(*EXPECTATIONS)
    match key:
        case "others_keep_echoing":
            look.true(key)
            return Expectation(key, 1)
        case "recovers_within":
            return Expectation(key, look.number(key, None, 0.001, LONGEST))
        case _:
            return Expectation(key, look.whole(key, None, 0, 10**9))
