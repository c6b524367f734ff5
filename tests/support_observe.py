"""What the tests of the observed loop share."""

import asyncio
from pathlib import Path
from typing import Any, TypeVar

from echotui.server.events import Event
from echotui.server.journal import Journal
from echotui.server.observe.observation import Observation

SomeEvent = TypeVar("SomeEvent", bound=Event)


def observed() -> Observation:
    """Return what is known of the running loop."""
    loop: Any = asyncio.get_running_loop()
    observation: Observation = loop.observation
    return observation


def journal() -> Journal:
    """Return the journal of the running loop, attached on the first call."""
    observation = observed()
    if observation.journal is None:
        observation.attach(Journal())
    assert observation.journal is not None
    return observation.journal


def told(kind: type[SomeEvent]) -> list[SomeEvent]:
    """Return every event of this kind that the running loop has told, or is about to tell."""
    observed().open_letters()
    return [entry.event for entry in journal().since(0) if isinstance(entry.event, kind)]


def line_of(file: str, mark: str) -> int:
    """Return the number of the line in a file that ends with ``# mark``."""
    for number, line in enumerate(Path(file).read_text().splitlines(), 1):
        if line.endswith(f"# {mark}"):
            return number
    raise LookupError(mark)


def woken(thread: int | None) -> int:
    """Return how often a thread of this process was woken, ever, by the number the system has for it (Linux)."""
    words = Path(f"/proc/self/task/{thread}/status").read_text().split()
    return int(words[words.index("voluntary_ctxt_switches:") + 1])


def be_quiet() -> None:
    """Have asyncio tell what we provoke to us only."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
