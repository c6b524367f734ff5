"""The loops everything runs on, by name. Each is observed: see `echotui.server.observe`."""

import selectors
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .observe.loop import AsyncioLoop
    from .observe.uv import UvLoop

LoopKind = Literal["asyncio", "uvloop"]

LOOP_KINDS: tuple[LoopKind, ...] = ("asyncio", "uvloop")


def new_event_loop(
    kind: LoopKind = "asyncio", selector: selectors.BaseSelector | None = None
) -> "AsyncioLoop | UvLoop":
    """Return a new observed loop; what is known of it is in its `observation`.

    It runs any coroutine, with no servers and no screen::

        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(main())

    Args:
        kind: ``asyncio`` or ``uvloop``.
        selector: what an asyncio loop waits with; the platform's best unless told otherwise.

    Raises:
        ImportError: if it is uvloop, and that is not installed.
        ValueError: if it is another kind, or uvloop is given a selector.
    """
    if kind == "uvloop":
        if selector is not None:
            raise ValueError("uvloop waits with libuv, it takes no selector")
        from .observe.uv import UvLoop

        return UvLoop()
    if kind != "asyncio":
        raise ValueError(f"a loop is one of {', '.join(LOOP_KINDS)}, not {kind!r}")
    from .observe.loop import AsyncioLoop

    return AsyncioLoop(selector)
