"""Waits in some tasks until it is killed. Started by test_transparency.py, with a kind of loop and bare or observed."""

import asyncio
import sys

from echotui.server import new_event_loop


async def leaf() -> None:
    await asyncio.get_running_loop().create_future()


async def mid() -> None:
    await leaf()


async def holds_another() -> None:
    await asyncio.get_running_loop().create_task(leaf(), name="deep")


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(mid(), name="first")
        group.create_task(mid(), name="second")
        group.create_task(holds_another(), name="third")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        print("ready", flush=True)
        await leaf()


def make() -> asyncio.AbstractEventLoop:
    kind, how = sys.argv[1:]
    if how == "observed":
        return new_event_loop("uvloop" if kind == "uvloop" else "asyncio")
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.SelectorEventLoop()


with asyncio.Runner(loop_factory=make) as runner:
    runner.run(main())
