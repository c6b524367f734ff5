"""Every option that can be set twice: on the command line, and for good in the configuration file."""

from collections.abc import Callable
from enum import Enum

from echotui.server.settings import DEFAULT_HOST, DEFAULT_PORT, SERVER_NAMES
from echotui.server.value import value

from . import checks


class Kind(Enum):
    """What a value is in the configuration file, in words."""

    TEXT = "text in quotes"
    WHOLE = "a whole number"
    NUMBER = "a number"
    FLAG = "true or false"
    LIST = "a list of texts"


@value
class Option:
    """An option, by the name it has in both places.

    `check` takes what was typed, as the functions in `checks` do. Where there is no default that could be written down,
    `example` is what could be.
    """

    name: str
    kind: Kind
    says: str
    check: Callable[[str], object] = str
    default: object = None
    metavar: str | None = None
    example: object = None

    @property
    def attribute(self) -> str:
        """What `argparse` calls it."""
        return self.name.replace("-", "_")

    @property
    def shown(self) -> object:
        """What stands in the template: the default, or else the example."""
        return self.example if self.default is None else self.default


#: What says which servers there are, where, and their time limits. Seconds are seconds.
SERVER_OPTIONS = (
    Option(
        "host",
        Kind.TEXT,
        f"the address to listen on (default {DEFAULT_HOST}, this machine only)",
        checks.host,
        DEFAULT_HOST,
        "ADDRESS",
    ),
    Option(
        "port",
        Kind.WHOLE,
        f"the first server's port, the others follow (default {DEFAULT_PORT}; 0: the system picks each)",
        checks.port,
        DEFAULT_PORT,
        "BASE",
    ),
    Option(
        "servers",
        Kind.LIST,
        f"which servers, of {', '.join(SERVER_NAMES)} (default all, but polling and blocking, which take a "
        "thread each, are started only if they are named here)",
        checks.servers,
        metavar="A,B",
        example=SERVER_NAMES[:4],
    ),
    Option("loop", Kind.TEXT, "asyncio (default) or uvloop", checks.loop, "asyncio", "KIND"),
    Option(
        "select-timeout",
        Kind.NUMBER,
        'how long selectors waits until it says "no events" (default 1)',
        checks.seconds,
        1.0,
        "S",
    ),
    Option(
        "idle-timeout",
        Kind.NUMBER,
        "close a connection that says nothing for so long (default 0: never)",
        checks.idle,
        metavar="S",
        example=0,
    ),
    Option(
        "blocking-receive",
        Kind.WHOLE,
        "how many bytes the blocking server asks for in one read (default 2)",
        checks.count,
        2,
        "N",
    ),
    Option(
        "blocking-clients",
        Kind.WHOLE,
        "after how many clients, one after the other, the blocking server is done (default: never)",
        checks.count,
        metavar="N",
        example=10,
    ),
    Option(
        "drain",
        Kind.NUMBER,
        "how long open connections may finish when the servers stop (default 5)",
        checks.seconds_or_none_at_all,
        5.0,
        "S",
    ),
)

#: What only the screen has.
SCREEN_OPTIONS = (
    Option("refresh", Kind.NUMBER, "frames a second, 0.1 to 60 (default 10)", checks.refresh, 10.0, "HZ"),
    Option("read-only", Kind.FLAG, "no keys that change anything: only look", default=False),
    Option("mouse", Kind.FLAG, "take the mouse; --no-mouse leaves it to the terminal", default=True),
    Option(
        "ascii",
        Kind.FLAG,
        "draw with ASCII only, or not (default: where the locale is not UTF-8)",
        example=False,
    ),
    Option(
        "theme",
        Kind.TEXT,
        "the colours: one of Textual's themes, by name (`echotui config template` has them)",
        metavar="NAME",
        example="textual-dark",
    ),
)

#: What only `echotui serve` has.
SERVE_OPTIONS = (
    Option(
        "events",
        Kind.TEXT,
        "which events serve prints: lifecycle (default), or all, with every select, read and write",
        checks.events,
        "lifecycle",
        "WHICH",
    ),
)

#: All of them, by name.
OPTIONS = {option.name: option for option in (*SERVER_OPTIONS, *SCREEN_OPTIONS, *SERVE_OPTIONS)}
