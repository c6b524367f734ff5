"""The command lines of `echotui load` and `echotui bench`."""

import argparse
import functools

from . import checks, options

#: With how many connections a server is put under load unless told otherwise.
CONNECTIONS = 100


def load(arguments: list[str]) -> int:
    """Run `echotui load` with these arguments; return the exit status."""
    from echotui.server.bench import order as most
    from echotui.server.bench.worker import LAST_ANSWERS, PATIENCE

    parser = options.Parser(
        prog="echotui load",
        description="Traffic for an echo server: throughput, latencies, and whether every byte comes back.",
        epilog="The client runs in processes of its own. First a message has to come back on each connection, within\n"
        f"{PATIENCE:g} s. Then it sends for so many seconds, and waits for what is under way, for {LAST_ANSWERS:g} s"
        "\nat most. Messages a second are those that came back, divided by the time in which it has sent, or until\n"
        "the last of them came back if that was later. ctrl+c prints what there was so far. It exits with 1 if\n"
        "anything went wrong. It loads this machine only, unless --host names another.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_address(parser)

    add = parser.add_argument

    def add_count(option: str, most: int, default: int | None, says: str, metavar: str = "N") -> None:
        if default is not None:
            says = f"{says} (default {default})"
        add(option, type=functools.partial(checks.count, most=most), default=default, metavar=metavar, help=says)

    says = f"how many at the same time (default {CONNECTIONS}; 1 for {' and '.join(sorted(most.ONE_AT_A_TIME))})"
    add_count("--connections", most.MOST_CONNECTIONS, None, says)
    add_count("--size", most.MOST_SIZE, 64, "of each message, its newline included", "BYTES")
    add_count("--pipelining", most.MOST_PIPELINED, 1, "messages on their way on one connection at the same time")
    add_count("--processes", most.MOST_PROCESSES, 1, "client processes that share the connections")
    add("--seconds", type=checks.load_seconds, default=10.0, metavar="S", help="for how long to send (default 10)")
    add(
        "--rate",
        type=checks.rate,
        metavar="N",
        help="messages a second, over all connections, however the server copes; latencies count from the moment a "
        "message is due. Without it flat out: the next message is sent when an answer has come",
    )
    add("--upper", action="store_true", help="expect answers in upper case, as the streams server gives them")
    add("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    if given.size * given.pipelining > most.MOST_IN_FLIGHT:
        parser.error(
            f"--size times --pipelining is more than {most.MOST_IN_FLIGHT} bytes on one connection: ask for less"
        )
    host, port = options.address(parser, given)
    from . import load as traffic

    try:
        address = traffic.where(host, port, beyond=given.host is not None)
    except traffic.NotLoaded as why:
        parser.error(str(why))
    usual = 1 if given.to in most.ONE_AT_A_TIME else CONNECTIONS
    wanted = most.Order(
        address=address,
        connections=given.connections or usual,
        size=given.size,
        rate=given.rate,
        pipelining=given.pipelining,
        seconds=given.seconds,
        upper=given.upper or given.to in most.UPPER,
    )
    return traffic.run(wanted, min(given.processes, wanted.connections), as_json=given.json)


def bench(arguments: list[str]) -> int:
    """Run `echotui bench` with these arguments; return the exit status."""
    from echotui.server.bench.compare import VARIANTS, Plan
    from echotui.server.bench.order import MOST_SIZE
    from echotui.server.bench.plain import PLAIN
    from echotui.server.settings import SERVER_NAMES

    servers = tuple(name for name in SERVER_NAMES if name in PLAIN)
    parser = options.Parser(
        prog="echotui bench",
        description="What watching costs: our servers beside plain ones, under the same traffic, in alternating runs.",
    )
    add = parser.add_argument
    add(
        "--servers",
        type=functools.partial(checks.some_of, known=servers, what="server to compare"),
        default=servers,
        metavar="A,B",
        help=f"of {', '.join(servers)} (default all)",
    )
    add(
        "--loops",
        type=checks.loops,
        default=("asyncio", "uvloop"),
        metavar="A,B",
        help="asyncio, uvloop (default both)",
    )
    add(
        "--variants",
        type=functools.partial(checks.some_of, known=VARIANTS, what="variant"),
        default=VARIANTS,
        metavar="A,B",
        help="of bare (plain), watched (as serve does), painting (with the screen), debug (plain, in asyncio's debug "
        "mode) (default all)",
    )
    add(
        "--connections",
        type=checks.connections,
        metavar="N,M",
        help="at the same time (default 1,100,5000; quick: 1,100)",
    )
    add("--runs", type=functools.partial(checks.count, most=1000), metavar="N", help="of each (default 5; quick: 3)")
    add("--seconds", type=checks.load_seconds, metavar="S", help="for each load (default 3; quick: 1)")
    add(
        "--size", type=functools.partial(checks.count, most=MOST_SIZE), default=64, metavar="BYTES", help="(default 64)"
    )
    add("--refresh", type=checks.refresh, default=10.0, metavar="HZ", help="frames a second of the screen (default 10)")
    add("--no-latencies", action="store_true", help="only flat out: CPU per message and throughput, in half the time")
    add("--quick", action="store_true", help="fewer connections and runs: a first look")
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print one JSON object with every sample")
    formats.add_argument("--markdown", action="store_true", help="print the table as the README has it")
    given = parser.parse_args(arguments)
    from . import bench as comparison

    plan = Plan(
        servers=given.servers,
        loops=given.loops,
        connections=given.connections or ((1, 100) if given.quick else (1, 100, 5000)),
        variants=given.variants,
        runs=given.runs or (3 if given.quick else 5),
        seconds=given.seconds or (1.0 if given.quick else 3.0),
        size=given.size,
        latencies=not given.no_latencies,
    )
    return comparison.run(plan, arguments, refresh=given.refresh, as_json=given.json, markdown=given.markdown)
