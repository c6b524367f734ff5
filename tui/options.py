"""The parser of the command line, and the options that several commands share."""

import argparse
import sys
from typing import TYPE_CHECKING, NoReturn

from . import checks
from .text import clean

if TYPE_CHECKING:
    from echotui.server.settings import Settings


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line that says what to do."""

    def error(self, message: str) -> NoReturn:
        print(clean(f"{self.prog}: {message} (see {self.prog} --help)"), file=sys.stderr)
        raise SystemExit(2)


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which servers there are, where, and their time limits."""
    from echotui.server.settings import DEFAULT_HOST, DEFAULT_PORT, SERVER_NAMES

    add = parser.add_argument
    add("--host", default=DEFAULT_HOST, help=f"the address to listen on (default {DEFAULT_HOST}, this machine only)")
    add(
        "--port",
        type=checks.port,
        default=DEFAULT_PORT,
        metavar="BASE",
        help=f"the first server's port, the others follow (default {DEFAULT_PORT}; 0: the system picks each)",
    )
    add(
        "--servers",
        type=checks.servers,
        default=None,
        metavar="A,B",
        help=f"which servers, of {', '.join(SERVER_NAMES)} (default all, but polling and blocking, which take a "
        "thread each, are started only if they are named here)",
    )
    add("--loop", type=checks.loop, default="asyncio", metavar="KIND", help="asyncio (default) or uvloop")
    add(
        "--select-timeout",
        type=checks.seconds,
        default=1.0,
        metavar="S",
        help='how long selectors waits until it says "no events" (default 1)',
    )
    add(
        "--idle-timeout",
        type=checks.idle,
        default=None,
        metavar="S",
        help="close a connection that says nothing for so long (default 0: never)",
    )
    add(
        "--blocking-receive",
        type=checks.count,
        default=2,
        metavar="N",
        help="how many bytes the blocking server asks for in one read (default 2)",
    )
    add(
        "--blocking-clients",
        type=checks.count,
        default=None,
        metavar="N",
        help="after how many clients, one after the other, the blocking server is done (default: never)",
    )
    add(
        "--drain",
        type=checks.seconds_or_none_at_all,
        default=5.0,
        metavar="S",
        help="how long open connections may finish when the servers stop (default 5)",
    )


def settings(options: argparse.Namespace) -> "Settings":
    """Return what was asked for with `add_server_options`."""
    from echotui.server.settings import Settings

    return Settings(
        host=options.host,
        port=options.port,
        servers=options.servers,
        select_timeout=options.select_timeout,
        idle_timeout=options.idle_timeout,
        drain=options.drain,
        blocking_receive=options.blocking_receive,
        blocking_clients=options.blocking_clients,
    )


def add_address(parser: argparse.ArgumentParser) -> None:
    """Add what says which server a command is pointed at."""
    from echotui.server.settings import DEFAULT_HOST, DEFAULT_PORT, SERVER_NAMES

    parser.add_argument(
        "to",
        nargs="?",
        default=SERVER_NAMES[0],
        metavar="SERVER|HOST:PORT",
        help=f"one of {', '.join(SERVER_NAMES)} (default {SERVER_NAMES[0]}), or an address",
    )
    parser.add_argument("--host", help=f"where the servers are (default {DEFAULT_HOST})")
    parser.add_argument(
        "--port",
        type=checks.port,
        default=DEFAULT_PORT,
        metavar="BASE",
        help=f"their base port (default {DEFAULT_PORT})",
    )


def address(parser: argparse.ArgumentParser, options: argparse.Namespace) -> tuple[str, int]:
    """Return host and port of what the command is pointed at."""
    from echotui.server.settings import DEFAULT_HOST, SERVER_NAMES, port_of

    if options.to in SERVER_NAMES:
        if options.port == 0:
            parser.error("port 0 is for listening: name the port the server has, as HOST:PORT")
        return options.host or DEFAULT_HOST, port_of(options.to, options.port)
    host, _, number = options.to.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not number.isascii() or not number.isdigit() or not 0 < int(number) <= 65535:
        parser.error(f"{options.to!r} is neither a server ({', '.join(SERVER_NAMES)}) nor HOST:PORT")
    if options.host not in (None, host):
        parser.error(f"--host {options.host} is not the host of {options.to}: name one of them")
    return host, int(number)
