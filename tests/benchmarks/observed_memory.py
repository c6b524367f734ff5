"""Whether watching leaves memory flat: a million short tasks and a million timers on an observed loop.

    python tests/benchmarks/observed_memory.py [--loop uvloop] [--count 1000000]

Prints the resident memory after each tenth, and exits with 1 if it grows by more than 5 MiB after the first.
Every tenth task fails, every tenth is cancelled; half of the timers fire, half are cancelled.
"""

import argparse
import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import psutil

from echotui.server import new_event_loop
from echotui.server.journal import Journal

#: How many are alive at a time.
BATCH = 1000

ALLOWED = 5 * 2**20


async def nothing() -> None:
    """End at once."""


async def fail() -> None:
    raise ValueError("on purpose")


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


KINDS = {1: fail, 2: forever}


async def some_tasks(count: int) -> None:
    here = asyncio.get_running_loop()
    for _ in range(count // BATCH):
        tasks = [here.create_task(KINDS.get(number % 10, nothing)()) for number in range(BATCH)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def some_timers(count: int) -> None:
    here = asyncio.get_running_loop()
    for _ in range(count // BATCH):
        for _ in range(BATCH // 2):
            here.call_later(0, int)
        for timer in [here.call_later(1000, int) for _ in range(BATCH // 2)]:
            timer.cancel()
        fired = asyncio.Event()
        here.call_later(0, fired.set)
        await fired.wait()


async def measure(name: str, some: Callable[[int], Coroutine[Any, Any, None]], count: int) -> bool:
    observation = asyncio.get_running_loop().observation  # type: ignore[attr-defined]
    if observation.journal is None:
        observation.attach(Journal())
    sizes = []
    for tenth in range(10):
        await some(count // 10)
        gc.collect()
        sizes.append(psutil.Process().memory_info().rss)
        print(f"  {name} {(tenth + 1) * count // 10:>9,}: {sizes[-1] / 2**20:7.2f} MiB", flush=True)
    grown = max(sizes) - sizes[0]
    print(f"  {name}: {grown / 2**20:+.2f} MiB after the first tenth, {'ok' if grown <= ALLOWED else 'OVER'} (5 MiB)")
    return grown <= ALLOWED


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--count", type=int, default=1_000_000)
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {options.loop}")

    async def both() -> bool:
        flat_tasks = await measure("tasks", some_tasks, options.count)
        return await measure("timers", some_timers, options.count) and flat_tasks

    with asyncio.Runner(loop_factory=lambda: new_event_loop(options.loop)) as runner:
        return 0 if runner.run(both()) else 1


if __name__ == "__main__":
    sys.exit(main())
