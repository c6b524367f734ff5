"""Stops itself in the middle of a step, as ctrl+z does, is sent on by another process, and prints what it was told.

Its arguments are the kind of its loop, and for how many seconds it is stopped.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys

from echotui.server import events
from echotui.server.journal import Entry, Journal
from echotui.server.lab import Lab
from echotui.server.loops import new_event_loop
from echotui.server.settings import Settings

SENDS_ON = "import os, signal, sys, time; time.sleep({}); os.kill({}, signal.SIGCONT)"


async def main(seconds: float) -> None:
    journal = Journal()
    async with Lab(Settings(port=0, servers=("sockets",)), journal, signals=True) as lab:
        assert lab.observation is not None
        resumed = asyncio.get_running_loop().create_future()

        def look(entry: Entry) -> None:
            if isinstance(entry.event, events.Resumed):
                resumed.set_result(entry.event.gap)

        journal.subscribe(look)
        other = subprocess.Popen([sys.executable, "-c", SENDS_ON.format(seconds, os.getpid())])  # noqa: ASYNC220
        os.kill(os.getpid(), signal.SIGSTOP)
        gap = await resumed
        samples = lab.vitals.samples
        while lab.vitals.samples < samples + 2:  # noqa: ASYNC110 - nobody tells when the second is over
            await asyncio.sleep(0.05)
        other.wait()
        print(
            json.dumps(
                {
                    "gap": gap,
                    "stalls": [stall.lasted for stall in lab.observation.stalls.recent],
                    "lags": [*lab.vitals.lags],
                    "turns": [*lab.vitals.turns],
                    "steps": [record.longest for record in lab.observation.tasks.live.values()],
                }
            )
        )


with asyncio.Runner(loop_factory=lambda: new_event_loop(sys.argv[1])) as runner:  # type: ignore[arg-type]
    runner.run(main(float(sys.argv[2])))
