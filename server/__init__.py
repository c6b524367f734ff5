"""The servers, what watches them, and the lab that holds both. Never imports Textual, nor `echotui.tui`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loops import new_event_loop as new_event_loop

__all__ = ["new_event_loop"]


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: ``echotui --version`` and ``--help`` need no asyncio.
    if name == "new_event_loop":
        from .loops import new_event_loop

        return new_event_loop
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
