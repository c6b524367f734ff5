"""Going from one thing to another, and back: over all views, along a history that is bounded."""

from collections import deque
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from textual.screen import Screen

from .chooser import Chooser
from .links import Kind, Link, Thing, exists, last_seen, links_of
from .place import SourceLines
from .text import clean, shortened
from .views.linked import Linked
from .views.shelf import Shelf
from .views.view import View, is_seen

#: How many places one can go back to.
KEPT = 50


class Stage(Protocol):
    """What a navigator moves on: the app."""

    views: Shelf
    view: View

    async def show_view(self, key: str) -> None: ...
    async def ask(self, question: Screen[Any], answered: Any = None) -> None: ...
    def say(self, what: str) -> None: ...


class Spot(NamedTuple):
    """Where one was."""

    view: str
    stance: Any


class Navigator:
    """Follows links.

    Args:
        stage: shows views and screens.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._trail: deque[Spot] = deque(maxlen=KEPT)

    async def follow(self, pane: Linked) -> None:
        """Go where the row under the cursor of a pane leads; where that is to several things, ask which."""
        row = pane.item()
        if row is None or pane.kind is None:
            return
        links = links_of(pane.kind, row, self._stage.view.picture)
        if not links:
            self._stage.say(f"this {pane.kind} is connected with nothing that is shown elsewhere")
        elif len(links) == 1:
            await self.go(links[0].thing)
        else:
            await self._stage.ask(Chooser(f"From {_name(pane.kind, pane)} to", self._placed(links)), self._chosen)

    async def go(self, thing: Thing) -> None:
        """Go to a thing. If it is gone, say so, and go to where it was last seen."""
        picture = self._stage.view.picture
        if thing.kind is Kind.PLACE:
            await self._stage.ask(SourceLines(thing.id))
        elif exists(thing, picture):
            if not await self._reveal(thing):
                self._stage.say(f"{thing} has gone just now")
        elif (entry := last_seen(thing, picture)) is None:
            self._stage.say(f"{thing} is gone, and the journal knows nothing of it any more")
        else:
            at = datetime.fromtimestamp(entry.time).astimezone()
            seen = shortened(clean(entry.event.sentence))
            await self._reveal(Thing(Kind.EVENT, entry.seq))
            self._stage.say(f"{thing} is gone; last seen at {at:%H:%M:%S}: {seen}")

    async def back(self) -> None:
        """Go back where one came from. Nothing happens where one has come by no link."""
        if self._trail:
            spot = self._trail.pop()
            await self._stage.show_view(spot.view)
            self._stage.view.resume(spot.stance)
            self._mark()

    def forget(self) -> None:
        """Forget the way here: one has gone elsewhere by oneself."""
        self._trail.clear()
        for view in self._stage.views.made.values():
            view.header.trail = ()
            view.begin_anew()

    async def _chosen(self, thing: Thing | None) -> None:
        if thing is not None:
            await self.go(thing)

    async def _reveal(self, thing: Thing) -> bool:
        here = self._stage.view
        key = self._key_of(thing)
        if key is None:
            return False
        spot = Spot(self._here, here.stance())
        await self._stage.show_view(key)
        if not self._stage.view.reveal(thing):
            await self._stage.show_view(spot.view)
            return False
        self._trail.append(spot)
        self._mark()
        pane = self._stage.view.shows(thing)
        if pane is not None and not is_seen(pane):
            self._stage.say(f"{thing} is selected, but its pane needs a larger terminal")
        return True

    def _mark(self) -> None:
        names = tuple(self._stage.views[spot.view].name_ for spot in self._trail)
        self._stage.view.header.trail = names
        self._stage.view.header.repaint()

    @property
    def _here(self) -> str:
        return next(key for key, view in self._stage.views.made.items() if view is self._stage.view)

    def _key_of(self, thing: Thing) -> str | None:
        """Return the key of the view that shows a thing."""
        return next((key for key, view in self._stage.views.items() if view.shows(thing) is not None), None)

    def _placed(self, links: list[Link]) -> list[tuple[Link, str]]:
        """Return links, each with the name of the view it leads to."""
        named = []
        for link in links:
            key = self._key_of(link.thing)
            named.append((link, "" if key is None else self._stage.views[key].name_))
        return named


def _name(kind: Kind, pane: Linked) -> str:
    return str(Thing(kind, pane.table.cursor)) if kind is not Kind.STEP else "this step"
