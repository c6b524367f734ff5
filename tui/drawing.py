"""A frame on its way to the terminal: the lines that have changed, and nothing else.

Textual composes what changes: every widget that lies in the rectangle around all of it is asked for every one of its
lines, and they are cut and put together anew. That takes longer than to work out what has changed, and nobody is served
meanwhile. Where a widget lies uncovered on the screen in front, its new lines can go to the terminal as they are. In
all other cases (a question or a notification above it, no terminal, a terminal that is behind) Textual composes, as it
does whatever is not part of a frame; it asks the widgets for the same lines, so both draw the same.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

from textual._ansi_sequences import SYNC_END, SYNC_START
from textual.geometry import Offset, Region
from textual.screen import Screen
from textual.widget import Widget

from .terminal import PatientDriver


class Place(NamedTuple):
    """Where a widget is on the screen."""

    region: Region
    """All of it."""
    content: Offset
    """Where what stands in its frame begins."""


class Drawing:
    """What a frame brings to the terminal. Within ``with drawing:`` what changes is collected, and then brought there.

    There is at most one at a time, `Drawing.now`.

    Args:
        screen: what is drawn.
    """

    now: ClassVar["Drawing | None"] = None
    """The frame that is being drawn, if its lines can go straight to the terminal."""

    def __init__(self, screen: Screen[Any]) -> None:
        self._screen = screen
        self._layout: Mapping[Widget, tuple[Region, Region]] = {}
        self._places: dict[Widget, Place | None] = {}
        self._parts: list[str] = []
        self._driver: PatientDriver | None = None
        self.goes_on = False
        """To be set within ``with``, where the frame is not whole yet: what was drawn is held for the rest of it."""
        self.count = 0
        """How often anything was drawn."""

    def __enter__(self) -> Self:
        """Collect what changes from now on, if it can go straight to the terminal."""
        screen = self._screen
        app = screen.app
        # None of this is public, as little as the compositor itself; ``tests/ui`` notices when it changes.
        driver, layout = app._driver, screen._compositor.visible_widgets  # noqa: SLF001
        if not isinstance(driver, PatientDriver) or driver.behind or app.screen is not screen or app._batch_count:  # noqa: SLF001
            return self
        if layout is not self._layout:
            self._layout, self._places = layout, {}
        self._driver = driver
        Drawing.now = self
        return self

    def __exit__(self, *_: object) -> None:
        """Bring it there, or hold it back."""
        driver, self._driver, Drawing.now = self._driver, None, None
        goes_on, self.goes_on = self.goes_on, False
        if driver is None:
            return
        bring = driver.hold if goes_on else driver.write
        if self._parts:
            app = self._screen.app
            x, y = app.cursor_position
            self.put(x, y, "")
            whole = "".join(self._parts)
            bring(f"{SYNC_START}{whole}{SYNC_END}" if app._sync_available else whole)  # noqa: SLF001
            self._parts.clear()
            self.count += 1
        elif driver.holds:
            bring("")

    def place_of(self, widget: Widget) -> "Place | None":
        """Return where on the screen a widget is; None if it is not, or something lies above it."""
        if widget not in self._places:
            self._places[widget] = self._find(widget)
        return self._places[widget]

    def put(self, x: int, y: int, text: str) -> None:
        """Have text, with its commands to the terminal, written at this place on the screen."""
        self._parts.append(f"\x1b[{y + 1};{x + 1}H{text}")

    def _find(self, widget: Widget) -> "Place | None":
        region, clip = self._layout.get(widget, (Region(), Region()))
        if not region or region.size != widget.outer_size or not clip.contains_region(region):
            return None
        for other, (above, _) in self._layout.items():  # from front to back
            if other is widget:
                return Place(region, region.offset + widget.content_offset)
            if above.overlaps(region) and widget not in other.ancestors_with_self:
                return None
        return None
