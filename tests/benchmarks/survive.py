"""A long run: many connections come, talk, boom and go at random while somebody presses keys at random.

    python tests/benchmarks/survive.py [--loop uvloop] [--seed 7] [--seconds 180] [--connections 2000] [--keys 1000]

The app runs on a pty as it always does; its clients are processes of their own. At the end the app has to be there
still, to have drawn no traceback, and to leave by its key; and what it has counted has to be what its clients have, see
``support_books.py`` for what that means in the presence of faults. The seed is printed: it decides the keys and what
each client wants. Exit status 0 if all of that holds, 1 if not.
"""

import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support_survival import Survival


def main() -> int:
    """Run it, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--seed", default=str(random.randrange(10_000)))
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--pause", type=float, default=1.5, help="the mean pause between two words of a client")
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.loop}, {given.connections:,} connections at once, {given.keys} keys", flush=True)
    run = Survival(
        given.seed,
        loop=given.loop,
        seconds=given.seconds,
        connections=given.connections,
        keys=given.keys,
        processes=given.processes,
        pause=given.pause,
    )
    wrong = run.run()
    verdict = run.verdict
    print(run.summary)
    print(f"pressed: {dict(run.pressed)}, {run.in_the_crowd} of them while the crowd was there")
    print(f"faults: {dict(verdict.faults)}")
    print(f"complaints: {dict(verdict.complaints)}")
    print(f"clients: {dict(verdict.ends)}; could not connect: {dict(run.refused)}")
    print(f"servers: {dict(verdict.reasons.most_common(25))}")
    print(
        f"{verdict.strict:,} connections equal to the byte, {verdict.bounded:,} cut off with bytes on their way (the "
        f"bounds leave {verdict.slack:,} B open), {verdict.unheard:,} never in the books; {verdict.own:,} of the "
        "app's own"
    )
    print(f"left after {run.left_after:.1f} s")
    if run.memory:
        print(f"memory, MiB: {[round(one) for one in run.memory[:: max(len(run.memory) // 12, 1)]]}")
    for one in wrong[:200]:
        print(f"WRONG: {one}")
    print(f"{len(wrong)} wrong" if wrong else "all of it holds")
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
