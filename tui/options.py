"""The parser of the command line, and the options that several commands share."""

import argparse
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from . import checks
from .chosen import add_config, configuration
from .standard import say
from .text import clean

if TYPE_CHECKING:
    from echotui.server.settings import Settings


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line that says what to do."""

    def error(self, message: str) -> NoReturn:
        print(clean(f"{self.prog}: {message} (see {self.prog} --help)"), file=sys.stderr)
        raise SystemExit(2)

    def print_help(self, file: Any = None) -> None:
        """Print it, and leave where stdout does not take it: argparse would not notice."""
        if file is not None:
            super().print_help(file)
        elif refused := say(self.prog, self.format_help(), end=""):
            raise SystemExit(refused)


def settings(options: argparse.Namespace) -> "Settings":
    """Return what is in effect of `SERVER_OPTIONS`."""
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
    parser.add_argument("--host", type=checks.host, help=f"where the servers are (default {DEFAULT_HOST})")
    parser.add_argument("--port", type=checks.port, metavar="BASE", help=f"their base port (default {DEFAULT_PORT})")
    add_config(parser)


def address(parser: argparse.ArgumentParser, options: argparse.Namespace) -> tuple[str, int]:
    """Return host and port of what the command is pointed at: where the command line or the file puts the servers."""
    from echotui.server.naming import reached_at
    from echotui.server.settings import DEFAULT_HOST, DEFAULT_PORT, SERVER_NAMES, port_of

    from_file = configuration(parser, options).options
    if options.to in SERVER_NAMES:
        base: Any = from_file.get("port", DEFAULT_PORT) if options.port is None else options.port
        if base == 0:
            parser.error("port 0 is for listening: name the port the server has, as HOST:PORT")
        return reached_at(options.host or str(from_file.get("host", DEFAULT_HOST))), port_of(options.to, base)
    host, _, number = options.to.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not number.isascii() or not number.isdigit() or len(number) > 5 or not 0 < int(number) <= 65535:
        parser.error(f"{options.to!r} is neither a server ({', '.join(SERVER_NAMES)}) nor HOST:PORT")
    if options.host not in (None, host):
        parser.error(f"--host {options.host} is not the host of {options.to}: name one of them")
    if options.port not in (None, int(number)):
        parser.error(f"--port {options.port} is not the port of {options.to}: name one of them")
    return host, int(number)
