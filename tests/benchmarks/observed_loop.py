"""What observing a loop costs: bare and observed in turn, in one run.

    python tests/benchmarks/observed_loop.py [--loop uvloop] [--rounds 9] [--scale 1.0]

Prints the median of the differences between neighbouring bare and observed runs, in microseconds for each piece, with
their quartiles, beside the budget; the memory of a live task; and what asyncio's debug mode and aiomonitor cost.
Not part of the test run: what it measures is this machine.
"""

import argparse
import asyncio
import gc
import statistics
import sys
import tracemalloc
from collections.abc import Callable, Coroutine
from functools import partial
from time import process_time
from typing import Any

from echotui.server import new_event_loop

Piece = Callable[[int], Coroutine[Any, Any, float]]


# What a program calls, so what is measured: the rule against it is for those who forget their tasks.
create_task = asyncio.create_task  # noqa: TID251

#: How many tasks take their steps together: a turn of the loop is measured by itself, and must not count here.
TOGETHER = 100


async def steps(count: int) -> float:
    """Tasks that yield: one step each time."""

    async def walk() -> None:
        for _ in range(count // TOGETHER):
            await asyncio.sleep(0)

    return await cpu_time(walk) / count


async def wakeups(count: int) -> float:
    """Tasks that wait for a future each time: one step each time, as a socket read makes it."""
    here = asyncio.get_running_loop()
    futures = [here.create_future() for _ in range(TOGETHER)]

    async def wait(number: int) -> None:
        for _ in range(count // TOGETHER):
            await futures[number]

    together = [here.create_task(wait(number)) for number in range(TOGETHER)]
    await asyncio.sleep(0)
    began = process_time()
    for _ in range(count // TOGETHER):
        waking = futures
        futures = [here.create_future() for _ in range(TOGETHER)]
        for future in waking:
            future.set_result(None)
        await asyncio.sleep(0)
    spent = process_time() - began
    await asyncio.wait(together)
    return spent / count


async def callbacks(count: int) -> float:
    """Callbacks that are no task's step."""
    here = asyncio.get_running_loop()
    began = process_time()
    for _ in range(count // TOGETHER):
        for _ in range(TOGETHER):
            here.call_soon(int)
        await asyncio.sleep(0)
    return (process_time() - began) / count


async def cpu_time(function: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """Return the CPU time that many tasks of this function take together, in seconds."""
    together = [asyncio.get_running_loop().create_task(function()) for _ in range(TOGETHER)]
    began = process_time()
    for task in together:
        await task
    return process_time() - began


async def tasks(count: int) -> float:
    """Tasks that are made, run one step and are done, a thousand at a time."""

    async def nothing() -> None:
        pass

    left = count
    began = process_time()
    while left > 0:
        batch = [create_task(nothing()) for _ in range(min(left, 1000))]
        left -= len(batch)
        await asyncio.sleep(0)
    return (process_time() - began) / count


async def timers_fired(count: int) -> float:
    """Timers that are due at once, a thousand at a time."""
    loop = asyncio.get_running_loop()

    def nothing() -> None:
        pass

    began = process_time()
    for _ in range(count // 1000):
        now = loop.time()
        for _ in range(1000):
            loop.call_at(now, nothing)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return (process_time() - began) / count


async def timers_cancelled(count: int) -> float:
    """Timers that are cancelled before they are due, as most timeouts are."""
    loop = asyncio.get_running_loop()

    def nothing() -> None:
        pass

    began = process_time()
    for _ in range(count // 1000):
        for timer in [loop.call_later(60, nothing) for _ in range(1000)]:
            timer.cancel()
        await asyncio.sleep(0)
    return (process_time() - began) / count


async def ticks(count: int) -> float:
    """Turns of the loop with one callback that is no task in each."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    left = count

    def again() -> None:
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(again)
        else:
            done.set_result(None)

    began = process_time()
    loop.call_soon(again)
    await done
    return (process_time() - began) / count


async def memory(count: int) -> float:
    """Bytes of a task that waits."""
    release = asyncio.Event()

    async def wait() -> None:
        await release.wait()

    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    waiting = [create_task(wait()) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    release.set()
    await asyncio.gather(*waiting)
    return (after - before) / count


def run(make: Callable[[], asyncio.AbstractEventLoop], piece: Piece, count: int, *, debug: bool = False) -> float:
    with asyncio.Runner(loop_factory=make, debug=debug) as runner:
        gc.collect()
        gc.disable()
        try:
            return runner.run(piece(count))
        finally:
            gc.enable()


def bare_loop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.SelectorEventLoop()


async def under_aiomonitor(piece: Piece, count: int) -> float:
    import aiomonitor

    loop = asyncio.get_running_loop()
    with aiomonitor.start_monitor(loop, port=0, webui_port=0, console_port=0, hook_task_factory=True):
        return await create_task(piece(count))


PIECES: tuple[tuple[str, Piece, int, float | None], ...] = (
    ("a step (sleep(0))", steps, 100_000, 0.35),
    ("a step (woken by a future)", wakeups, 50_000, 0.35),
    ("a callback (call_soon)", callbacks, 100_000, None),
    ("a task (create, run, done)", tasks, 50_000, 1.5),
    ("a timer (set, fired)", timers_fired, 50_000, 0.5),
    ("a timer (set, cancelled)", timers_cancelled, 50_000, 0.5),
    ("a tick", ticks, 100_000, 1.0),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--scale", type=float, default=1.0, help="how much of the usual work is done")
    parser.add_argument("--bare", action="store_true", help="without the comparison")
    options = parser.parse_args()
    bare = partial(bare_loop, options.loop)
    observed = partial(new_event_loop, options.loop)
    print(f"Python {sys.version.split()[0]}, {options.loop}, medians of {options.rounds} alternating runs, CPU time")
    print(f"{'':28} {'bare µs':>9} {'observed':>9} {'more':>7} {'quartiles':>15} {'budget':>7}")
    for name, piece, usual, budget in PIECES:
        count = max(1000, int(usual * options.scale))
        differences, plain, watched = [], [], []
        for _ in range(options.rounds):
            plain.append(run(bare, piece, count) * 1e6)
            watched.append(run(observed, piece, count) * 1e6)
            differences.append(watched[-1] - plain[-1])
        low, middle, high = statistics.quantiles(differences, n=4)
        verdict = "" if budget is None else f"{budget:7.2f} {'ok' if middle <= budget else 'OVER'}"
        print(
            f"{name:28} {statistics.median(plain):9.3f} {statistics.median(watched):9.3f} {middle:7.3f} "
            f"{low:7.3f}…{high:6.3f} {verdict}"
        )
    count = max(1000, int(10_000 * options.scale))
    plain_bytes, watched_bytes = run(bare, memory, count), run(observed, memory, count)
    more = watched_bytes - plain_bytes
    print(
        f"{'a live task, bytes':28} {plain_bytes:9.0f} {watched_bytes:9.0f} {more:7.0f} {'':15} {1024:7} "
        f"{'ok' if more <= 1024 else 'OVER'}"
    )
    if not options.bare:
        compare(bare, options.scale)


def compare(bare: Callable[[], asyncio.AbstractEventLoop], scale: float) -> None:
    """Print what else one could have, as a multiple of what it costs more than bare."""
    print("\nfor comparison, µs more than bare")
    for name, piece, usual, _ in (PIECES[0], PIECES[1], PIECES[3]):
        count = max(1000, int(usual * scale / 5))
        plain = min(run(bare, piece, count) for _ in range(3)) * 1e6
        debug = min(run(bare, piece, count, debug=True) for _ in range(3)) * 1e6
        try:
            monitored: float | str = min(run(bare, partial(_monitored, piece), count) for _ in range(3)) * 1e6 - plain
        except ImportError:
            monitored = "not installed"
        said = f"{monitored:9.3f}" if isinstance(monitored, float) else monitored
        print(f"{name:28} asyncio debug mode {debug - plain:9.3f}    aiomonitor, hooked task factory {said}")


def _monitored(piece: Piece, count: int) -> Coroutine[Any, Any, float]:
    return under_aiomonitor(piece, count)


if __name__ == "__main__":
    main()
