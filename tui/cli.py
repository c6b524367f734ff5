"""The command line. It imports no more than a command needs: the screen's library only for the screen."""

import argparse
import functools
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .text import clean

if TYPE_CHECKING:
    from echotui.server.faults.script import Script

EXAMPLES = """\
examples:
  echotui                              servers on ports 8000 to 8003, and the screen
  echotui --port 0 --loop uvloop       ports the system picks, on uvloop
  echotui serve --events all           no screen: every event as a line of JSON
  echotui connect sockets              talk to the sockets server; try the word boom
  echotui faults run chaos.toml        a fault script, with a verdict
  echotui serve --servers polling,blocking    the two that take a thread: named, so they are started
  echotui load selectors --rate 5000   5,000 messages a second; watch what it does
  nc 127.0.0.1 8000                    … or with the tool you have
"""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line that says what to do."""

    def error(self, message: str) -> NoReturn:
        print(clean(f"{self.prog}: {message} (see {self.prog} --help)"), file=sys.stderr)
        raise SystemExit(2)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    command = COMMANDS.get(arguments[0]) if arguments else None
    return _screen(arguments) if command is None else command(arguments[1:])


def _screen(arguments: list[str]) -> int:
    parser = _Parser(
        prog="echotui",
        description="See your event loop: echo servers on the app's own loop, watched live.",
        epilog=f"commands:\n  echotui serve …      the same servers without a screen: one JSON object a line\n"
        f"  echotui connect …    a line client for machines without telnet or nc\n"
        f"  echotui faults …     the catalogue of faults, and fault scripts without a screen\n"
        f"  echotui load …       traffic for a server, from processes of its own; checks every byte\n"
        f"  echotui bench …      what watching costs, beside plain servers\n\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    _add_server_options(parser)
    parser.add_argument(
        "--refresh", type=_refresh, default=10.0, metavar="HZ", help="frames a second, 0.1 to 60 (default 10)"
    )
    parser.add_argument("--read-only", action="store_true", help="no keys that change anything: only look")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    options = parser.parse_args(arguments)
    settings = _settings(options)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        parser.error("there is no terminal to draw on: use `echotui serve`")
    from . import run

    return run.run(
        settings, options.loop, refresh=options.refresh, read_only=options.read_only, mouse=not options.no_mouse
    )


def _serve(arguments: list[str]) -> int:
    parser = _Parser(
        prog="echotui serve", description="The servers without a screen: one JSON object a line on stdout."
    )
    _add_server_options(parser)
    parser.add_argument(
        "--events",
        choices=("lifecycle", "all"),
        default="lifecycle",
        help="which events: lifecycle (default), or all, with every select, read and write",
    )
    parser.add_argument(
        "--faults", type=_script, metavar="FILE", help="a fault script: its faults come when they are due"
    )
    options = parser.parse_args(arguments)
    settings = _settings(options)
    from . import serve

    return serve.run(settings, options.loop, all_events=options.events == "all", script=options.faults)


def _faults(arguments: list[str]) -> int:
    parser = _Parser(
        prog="echotui faults",
        description="The catalogue of faults, and scripts of them.",
        epilog="a fault script:\n\n" + _script_example(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | run FILE", parser_class=_Parser)
    listing = commands.add_parser("list", help="every kind of fault, with its parameters")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    running = commands.add_parser("run", help="run a fault script; exit 0 if all it expects is met, 1 if not")
    running.add_argument("file", type=Path, metavar="FILE", help="a fault script (TOML)")
    running.add_argument("--seed", type=_seed, help="in place of the script's own: other random decisions")
    running.add_argument("--loop", type=_loop, default="asyncio", help="asyncio (default) or uvloop")
    running.add_argument("--json", action="store_true", help="every event and verdict as a JSON object a line")
    options = parser.parse_args(arguments)
    from . import faults

    if options.command == "list":
        return faults.list_faults(as_json=options.json)
    return faults.run(options.file, options.loop, seed=options.seed, as_json=options.json)


def _script_example() -> str:
    """Return the example of a script from where scripts are explained."""
    from echotui.server.faults import script

    return (script.__doc__ or "").partition("\n\n")[2]


def _connect(arguments: list[str]) -> int:
    parser = _Parser(
        prog="echotui connect", description="A line client: sends each line with CRLF, prints what comes back."
    )
    _add_address(parser)
    options = parser.parse_args(arguments)
    host, port = _address(parser, options)
    from . import connect

    return connect.run(host, port)


def _load(arguments: list[str]) -> int:
    parser = _Parser(
        prog="echotui load",
        description="Traffic for an echo server: throughput, latencies, and whether every byte comes back.",
        epilog="The client runs in processes of its own, for so many seconds and no longer; ctrl+c prints what there\n"
        "was so far. It exits with 1 if anything went wrong. It loads this machine only, unless --host names another.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_address(parser)
    from echotui.server.bench import order as most

    add = parser.add_argument

    def add_count(option: str, most: int, default: int, says: str, metavar: str = "N") -> None:
        says = f"{says} (default {default})"
        add(option, type=functools.partial(_count, most=most), default=default, metavar=metavar, help=says)

    add_count("--connections", most.MOST_CONNECTIONS, 100, "how many at the same time")
    add_count("--size", most.MOST_SIZE, 64, "of each message, its newline included", "BYTES")
    add_count("--pipelining", most.MOST_PIPELINED, 1, "messages on their way on one connection at the same time")
    add_count("--processes", most.MOST_PROCESSES, 1, "client processes that share the connections")
    add("--seconds", type=_load_seconds, default=10.0, metavar="S", help="for how long (default 10)")
    add(
        "--rate",
        type=_rate,
        metavar="N",
        help="messages a second, over all connections, however the server copes; latencies count from the moment a "
        "message is due. Without it flat out: the next message is sent when an answer has come",
    )
    add("--upper", action="store_true", help="expect answers in upper case, as the streams server gives them")
    add("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.size * options.pipelining > most.MOST_IN_FLIGHT:
        parser.error(
            f"--size times --pipelining is more than {most.MOST_IN_FLIGHT} bytes on one connection: ask for less"
        )
    host, port = _address(parser, options)
    from . import load

    try:
        address = load.where(host, port, beyond=options.host is not None)
    except load.NotLoaded as why:
        parser.error(str(why))
    wanted = most.Order(
        address=address,
        connections=options.connections,
        size=options.size,
        rate=options.rate,
        pipelining=options.pipelining,
        seconds=options.seconds,
        upper=options.upper or options.to in most.UPPER,
    )
    return load.run(wanted, min(options.processes, options.connections), as_json=options.json)


def _bench(arguments: list[str]) -> int:
    from echotui.server.bench.compare import VARIANTS, Plan
    from echotui.server.bench.order import MOST_SIZE
    from echotui.server.bench.plain import PLAIN
    from echotui.server.settings import SERVER_NAMES

    servers = tuple(name for name in SERVER_NAMES if name in PLAIN)
    parser = _Parser(
        prog="echotui bench",
        description="What watching costs: our servers beside plain ones, under the same traffic, in alternating runs.",
    )
    add = parser.add_argument
    add(
        "--servers",
        type=functools.partial(_some_of, known=servers, what="server to compare"),
        default=servers,
        metavar="A,B",
        help=f"of {', '.join(servers)} (default all)",
    )
    add("--loops", type=_loops, default=("asyncio", "uvloop"), metavar="A,B", help="asyncio, uvloop (default both)")
    add(
        "--variants",
        type=functools.partial(_some_of, known=VARIANTS, what="variant"),
        default=VARIANTS,
        metavar="A,B",
        help="of bare (plain), watched (as serve does), painting (with the screen), debug (plain, in asyncio's debug "
        "mode) (default all)",
    )
    add("--connections", type=_connections, metavar="N,M", help="at the same time (default 1,100,5000; quick: 1,100)")
    add("--runs", type=functools.partial(_count, most=1000), metavar="N", help="of each (default 5; quick: 3)")
    add("--seconds", type=_load_seconds, metavar="S", help="for each load (default 3; quick: 1)")
    add("--size", type=functools.partial(_count, most=MOST_SIZE), default=64, metavar="BYTES", help="(default 64)")
    add("--refresh", type=_refresh, default=10.0, metavar="HZ", help="frames a second of the screen (default 10)")
    add("--no-latencies", action="store_true", help="only flat out: CPU per message and throughput, in half the time")
    add("--quick", action="store_true", help="fewer connections and runs: a first look")
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print one JSON object with every sample")
    formats.add_argument("--markdown", action="store_true", help="print the table as the README has it")
    options = parser.parse_args(arguments)
    from . import bench

    plan = Plan(
        servers=options.servers,
        loops=options.loops,
        connections=options.connections or ((1, 100) if options.quick else (1, 100, 5000)),
        variants=options.variants,
        runs=options.runs or (3 if options.quick else 5),
        seconds=options.seconds or (1.0 if options.quick else 3.0),
        size=options.size,
        latencies=not options.no_latencies,
    )
    return bench.run(plan, arguments, refresh=options.refresh, as_json=options.json, markdown=options.markdown)


def _add_address(parser: argparse.ArgumentParser) -> None:
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
        "--port", type=_port, default=DEFAULT_PORT, metavar="BASE", help=f"their base port (default {DEFAULT_PORT})"
    )


def _address(parser: argparse.ArgumentParser, options: argparse.Namespace) -> tuple[str, int]:
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


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    from echotui.server.settings import DEFAULT_HOST, DEFAULT_PORT, SERVER_NAMES

    add = parser.add_argument
    add("--host", default=DEFAULT_HOST, help=f"the address to listen on (default {DEFAULT_HOST}, this machine only)")
    add(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        metavar="BASE",
        help=f"the first server's port, the others follow (default {DEFAULT_PORT}; 0: the system picks each)",
    )
    add(
        "--servers",
        type=_servers,
        default=None,
        metavar="A,B",
        help=f"which servers, of {', '.join(SERVER_NAMES)} (default all, but polling and blocking, which take a "
        "thread each, are started only if they are named here)",
    )
    add("--loop", type=_loop, default="asyncio", metavar="KIND", help="asyncio (default) or uvloop")
    add(
        "--select-timeout",
        type=_seconds,
        default=1.0,
        metavar="S",
        help='how long selectors waits until it says "no events" (default 1)',
    )
    add(
        "--idle-timeout",
        type=_idle,
        default=None,
        metavar="S",
        help="close a connection that says nothing for so long (default 0: never)",
    )
    add(
        "--blocking-receive",
        type=_count,
        default=2,
        metavar="N",
        help="how many bytes the blocking server asks for in one read (default 2)",
    )
    add(
        "--blocking-clients",
        type=_count,
        default=None,
        metavar="N",
        help="after how many clients, one after the other, the blocking server is done (default: never)",
    )
    add(
        "--drain",
        type=_seconds_or_none_at_all,
        default=5.0,
        metavar="S",
        help="how long open connections may finish when the servers stop (default 5)",
    )


def _settings(options: argparse.Namespace) -> Any:
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


def _port(text: str) -> int:
    from echotui.server.settings import MAX_PORT, SERVER_NAMES

    highest = MAX_PORT - len(SERVER_NAMES) + 1
    if not text.isascii() or not text.isdigit() or int(text) > highest:
        raise argparse.ArgumentTypeError(f"{text!r} is not a base port: 1 to {highest}, or 0 to let the system pick")
    return int(text)


def _script(text: str) -> "Script":
    from echotui.server.faults.script import BadScript, load

    try:
        return load(Path(text))
    except BadScript as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed: a whole number, 0 or more")
    return int(text)


def _servers(text: str) -> tuple[str, ...]:
    from echotui.server.settings import SERVER_NAMES

    return _some_of(text, SERVER_NAMES, "server")


def _loop(text: str) -> str:
    if text not in ("asyncio", "uvloop"):
        raise argparse.ArgumentTypeError(f"there is no loop {text!r}: choose asyncio or uvloop")
    if text == "uvloop":
        from importlib.util import find_spec

        if find_spec("uvloop") is None:
            raise argparse.ArgumentTypeError("uvloop is not installed here: choose asyncio")
    return text


def _count(text: str, most: int = 1_000_000) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
    return int(text)


def _some_of(text: str, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    asked = [name.strip() for name in text.split(",")]
    for name in asked:
        if name not in known:
            raise argparse.ArgumentTypeError(f"there is no {what} {name!r}: choose from {', '.join(known)}")
    return tuple(name for name in known if name in asked)


def _loops(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_loop(name.strip()) for name in text.split(",")))


def _connections(text: str) -> tuple[int, ...]:
    from echotui.server.bench.order import MOST_CONNECTIONS

    return tuple(dict.fromkeys(_count(number.strip(), MOST_CONNECTIONS) for number in text.split(",")))


def _rate(text: str) -> float:
    from echotui.server.bench.order import MOST_RATE

    return _between(text, 0.1, MOST_RATE, "a rate", "messages a second")


def _load_seconds(text: str) -> float:
    from echotui.server.bench.order import MOST_SECONDS

    return _between(text, 0.1, MOST_SECONDS, "a duration", "seconds")


def _between(text: str, least: float, most: float, what: str, unit: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}: {least:g} to {most:.0f} {unit}")
    return number


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}: seconds, from 0 to 86400")
    return number


def _seconds(text: str) -> float:
    seconds = _number(text, "a time to wait")
    if seconds < 0.001:
        raise argparse.ArgumentTypeError(f"{text!r} is too short to wait: at least 0.001 s")
    return seconds


def _seconds_or_none_at_all(text: str) -> float:
    return _number(text, "a time limit")


def _idle(text: str) -> float | None:
    return _number(text, "an idle time") or None


def _refresh(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0.1 <= rate <= 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a frame rate: 0.1 to 60 a second")
    return rate


class _Version(argparse.Action):
    """Print the version; look it up only when somebody asks."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"echotui {version('echotui')}")
        parser.exit()


#: What can be asked for by name; without a name it is the screen.
COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "serve": _serve,
    "connect": _connect,
    "faults": _faults,
    "load": _load,
    "bench": _bench,
}
