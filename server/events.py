"""The vocabulary: everything that can happen, one small type each.

An event says what happened, in fields; `Event.sentence` says it for people, and `Event.as_dict` for programs.
Times are not in here: the journal stamps an event when it records it, or as long ago as it is told. Durations are in
seconds, sizes in bytes.

Two kinds of events: *lifecycle* events are rare (a connection opens, a server stops) and always recorded;
*details* (`Event.detail`) happen once or more per message and are recorded only as far as somebody looks, see
`Journal.details_open`.

Text that came from a peer is kept as it came: whoever makes it visible cleans it (the screen in ``tui/text.py``,
JSON by escaping everything that is not ASCII).
"""

from typing import Any, ClassVar

from .value import fields_of, value


def as_text(data: bytes) -> str:
    """Return bytes as text, with what is not UTF-8 as ``\\xNN``. The result is *not* safe to show as it is."""
    return data.decode("utf-8", "backslashreplace")


def duration(seconds: float) -> str:
    """Return a duration in the unit people would say it in: ``12 µs``, ``3.4 ms``, ``1.0 s``."""
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.1f} s"


@value
class Event:
    """Something that happened.

    `kind` names the type in JSON; `detail` says whether it is too frequent to be recorded unasked;
    `alarming` whether a person should notice it.
    """

    kind: ClassVar[str]
    detail: ClassVar[bool] = False
    alarming: ClassVar[bool] = False

    @property
    def sentence(self) -> str:
        """What happened, for people. May hold text from a peer: clean it before it becomes visible."""
        raise NotImplementedError

    @property
    def about_server(self) -> str | None:
        """The name of the server this is about, if it is about one."""
        return getattr(self, "server", None)

    @property
    def about_connection(self) -> int | None:
        """The id of the connection this is about, if it is about one."""
        return getattr(self, "connection", None)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that are set, bytes as text, ready for JSON."""
        row: dict[str, Any] = {"kind": self.kind}
        for name, field in fields_of(self).items():
            if field is not None:
                row[name] = as_text(field) if isinstance(field, bytes) else field
        return row


# -- servers ---------------------------------------------------------------------------------------------------


@value
class Listening(Event):
    kind = "listening"
    server: str
    host: str
    port: int

    @property
    def sentence(self) -> str:
        return f"listening on {self.host}:{self.port}"


@value
class ListenFailed(Event):
    kind = "listen_failed"
    alarming = True
    server: str
    host: str
    port: int
    reason: str

    @property
    def sentence(self) -> str:
        return f"cannot listen on {self.host}:{self.port}: {self.reason}"


@value
class ListenerClosed(Event):
    kind = "listener_closed"
    server: str
    host: str
    port: int

    @property
    def sentence(self) -> str:
        return f"accepts no more on {self.host}:{self.port}"


@value
class ServerStopped(Event):
    kind = "server_stopped"
    server: str

    @property
    def sentence(self) -> str:
        return "stopped"


@value
class AcceptFailed(Event):
    kind = "accept_failed"
    alarming = True
    server: str
    reason: str
    retry_after: float

    @property
    def sentence(self) -> str:
        return f"cannot accept: {self.reason}; trying again in {duration(self.retry_after)}, the others are served"


@value
class TreatmentSwitched(Event):
    kind = "treatment_switched"
    server: str
    treatment: str

    @property
    def sentence(self) -> str:
        return f"a failing task is now {self.treatment}"


# -- connections -----------------------------------------------------------------------------------------------


@value
class Accepted(Event):
    kind = "accepted"
    server: str
    connection: int
    peer: str
    fd: int

    @property
    def sentence(self) -> str:
        return f"connection {self.connection}: accepted {self.peer} as fd {self.fd}"


@value
class Closed(Event):
    kind = "closed"
    server: str
    connection: int
    peer: str
    reason: str
    bytes_in: int
    bytes_out: int
    seconds: float

    @property
    def sentence(self) -> str:
        return (
            f"connection {self.connection}: closed after {duration(self.seconds)}, "
            f"{self.bytes_in:,} B in, {self.bytes_out:,} B out: {self.reason}"
        )


@value
class HalfClosed(Event):
    kind = "half_closed"
    server: str
    connection: int
    peer: str

    @property
    def sentence(self) -> str:
        return f"connection {self.connection}: {self.peer} will send no more, all it sent is answered"


@value
class HandlerFailed(Event):
    """A handler raised. `cause` is who made it: ``peer`` said boom, or the ``keyboard`` did."""

    kind = "boom"
    alarming = True
    server: str
    connection: int
    peer: str
    error: str
    cause: str
    outcome: str

    @property
    def sentence(self) -> str:
        return f"connection {self.connection}: {self.error} (by {self.cause}) → {self.outcome}"


@value
class IdleTimeout(Event):
    kind = "idle_timeout"
    server: str
    connection: int
    peer: str
    limit: float

    @property
    def sentence(self) -> str:
        return f"connection {self.connection}: {self.peer} said nothing for {duration(self.limit)}"


@value
class LineRefused(Event):
    """A peer has sent more than `limit` bytes without ending its line."""

    kind = "line_too_long"
    alarming = True
    server: str
    connection: int
    peer: str
    limit: int

    @property
    def sentence(self) -> str:
        return f"connection {self.connection}: {self.peer} sent a line of more than {self.limit:,} B, it is closed"


@value
class CancelAsked(Event):
    kind = "cancel_asked"
    server: str
    connection: int
    peer: str
    by: str

    @property
    def sentence(self) -> str:
        return f"connection {self.connection}: {self.by} asks to end it"


@value
class ClientStarted(Event):
    kind = "client_started"
    server: str
    peer: str

    @property
    def sentence(self) -> str:
        return f"built-in client {self.peer} starts to chat"


@value
class ClientEnded(Event):
    kind = "client_ended"
    server: str
    peer: str
    reason: str

    @property
    def sentence(self) -> str:
        return f"built-in client {self.peer or '(not connected)'} ended: {self.reason}"


# -- the loop and its complaints -------------------------------------------------------------------------------


@value
class FailedSilently(Event):
    """A task ended with an exception that nobody will hear of while something still holds the task."""

    kind = "silent"
    alarming = True
    server: str
    connection: int
    peer: str
    error: str

    @property
    def sentence(self) -> str:
        return f"connection {self.connection}: {self.error}, unheard: somebody keeps the task"


@value
class InstrumentDisabled(Event):
    """Something that watches raised; it is switched off, and what it watched goes on."""

    kind = "instrument_disabled"
    alarming = True
    instrument: str
    error: str

    @property
    def sentence(self) -> str:
        return f"{self.instrument} raised {self.error} and is switched off"


@value
class DetailsSkipped(Event):
    """How many details were not recorded since the last of these events, because there were too many to read."""

    kind = "details_skipped"
    count: int

    @property
    def sentence(self) -> str:
        return f"{self.count:,} select, received and sent events were too many to record one by one"


# -- signals and shutdown --------------------------------------------------------------------------------------


@value
class SignalReceived(Event):
    kind = "signal"
    alarming = True
    signal: str
    origin: str

    @property
    def sentence(self) -> str:
        return f"{self.signal} received, sent from {self.origin}"


@value
class Stopping(Event):
    kind = "stopping"
    open: int
    drain: float
    shutdown: int | None = None

    @property
    def sentence(self) -> str:
        return f"stopping: {self.open} open, they have {duration(self.drain)} to finish"


@value
class Straggler(Event):
    """A connection that had not finished when the drain time was over, and where it hangs."""

    kind = "straggler"
    alarming = True
    server: str
    connection: int
    peer: str
    doing: str

    @property
    def sentence(self) -> str:
        return f"connection {self.connection}: {self.peer} has not finished ({self.doing}), it is ended"


@value
class CutShort(Event):
    """A second signal ends the time to finish, `after` seconds of `drain`. `owed`: bytes of answers that are lost."""

    kind = "cut_short"
    alarming = True
    by: str
    after: float
    drain: float
    open: int
    owed: int
    shutdown: int | None = None

    @property
    def sentence(self) -> str:
        who = "1 connection has" if self.open == 1 else f"{self.open} connections have"
        lost = f"{who} not finished, {self.owed} B of answers have not arrived"
        return f"cut short by {self.by} after {duration(self.after)} of {duration(self.drain)}: {lost}"


@value
class Resumed(Event):
    """The process was stopped, by ctrl+z or SIGSTOP, and goes on: `gap` is known to about `give_or_take` seconds."""

    kind = "resumed"
    alarming = True
    gap: float
    give_or_take: float

    @property
    def sentence(self) -> str:
        return f"the process was stopped for about {duration(self.gap)}: nothing was served meanwhile"


@value
class CleaningUp(Event):
    kind = "clean_up"
    finished: int
    ended: int
    waited: float
    shutdown: int | None = None

    @property
    def sentence(self) -> str:
        return (
            f"clean up: {self.finished} finished by themselves, {self.ended} to be ended, after {duration(self.waited)}"
        )


@value
class Stopped(Event):
    kind = "stopped"
    took: float
    left: int
    shutdown: int | None = None

    @property
    def sentence(self) -> str:
        rest = f", {self.left} could not be ended" if self.left else ""
        return f"stopped after {duration(self.took)}{rest}"


@value
class LabClosed(Event):
    kind = "closed_down"

    @property
    def sentence(self) -> str:
        return "closed"


# -- details ---------------------------------------------------------------------------------------------------


@value
class Selected(Event):
    kind = "select"
    detail = True
    server: str
    ready: int
    waited: float
    first: str

    @property
    def sentence(self) -> str:
        more = f" and {self.ready - 1} more" if self.ready > 1 else ""
        return f"{self.ready} ready after {duration(self.waited)}: {self.first}{more}"


@value
class SelectTimeout(Event):
    kind = "select_timeout"
    detail = True
    server: str
    waited: float

    @property
    def sentence(self) -> str:
        return f"no events for {duration(self.waited)}, waiting a bit more"


@value
class Received(Event):
    """One read. `text` is at most the first 64 bytes of what it brought."""

    kind = "received"
    detail = True
    server: str
    connection: int
    peer: str
    size: int
    text: bytes

    @property
    def sentence(self) -> str:
        more = "…" if self.size > len(self.text) else ""
        return f"connection {self.connection}: {self.size} B in  {as_text(self.text)}{more}"


@value
class LineWhole(Event):
    """The pieces of several reads have become a line. `text` is at most its first 64 bytes."""

    kind = "line"
    detail = True
    server: str
    connection: int
    peer: str
    size: int
    text: bytes

    @property
    def sentence(self) -> str:
        more = "…" if self.size > len(self.text) else ""
        return f"connection {self.connection}: the whole, {self.size} B  {as_text(self.text)}{more}"


@value
class Sent(Event):
    """One write. `unsent` bytes did not fit into the socket's buffer and wait until it is writable."""

    kind = "sent"
    detail = True
    server: str
    connection: int
    peer: str
    size: int
    unsent: int

    @property
    def sentence(self) -> str:
        rest = f", {self.unsent} B wait for {self.peer} to read" if self.unsent else ""
        return f"connection {self.connection}: {self.size} B out{rest}"
