"""What all views have in common: a header above, a filter line and the keys below, and frames in between."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Footer, Input, Static

from ..bindings import bound, in_order
from ..filter import BadFilter, Filter, parse
from ..frames import Patience
from ..links import Thing
from ..picture import Picture
from ..text import clean
from ..widgets.header import Header
from ..widgets.table import VirtualTable
from ..widgets.tabs import Tabs
from .linked import Linked, Stance
from .rows import RowsPane

#: The views by their keys.
VIEWS = {"1": "Live", "2": "Loop", "3": "Tasks", "4": "Faults", "5": "Shutdown", "6": "Problems"}


class Pane(Protocol):
    """A part of a view that draws something of a picture."""

    picture: Picture

    def repaint(self) -> None: ...


class Filtered(Protocol):
    """A pane whose rows can be filtered."""

    fields: ClassVar[tuple[str, ...]]
    filter: Filter

    @property
    def table(self) -> VirtualTable[Any]: ...


class View(Patience):
    """A screen that draws a picture. Subclasses say which panes there are, and how they are laid out.

    What keys do to servers is the app's business; here is only what they do to the view.
    """

    name_: ClassVar[str]
    """What it is called."""
    notes: ClassVar[str] = ""
    """What the numbers in it mean."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("view.filter", "filter", "filter", priority=True),
        bound("view.sort", "sort(1)"),
        bound("view.reverse", "sort(0)"),
        Binding("escape", "back", show=False),
        bound("view.return", "return"),
    ]

    class Left(Message):
        """Somebody wants to go back where they came from."""

    def __init__(self, picture: Picture) -> None:
        super().__init__()
        self.picture = picture
        self.header = Header(picture, self.name_)
        self._drawn: object = None
        self._filtering: Filtered | None = None
        self._filters_then: list[Filter] | None = None

    @abstractmethod
    def body(self) -> Iterable[Widget]:
        """Yield what is laid out between header and keys."""

    @abstractmethod
    def panes(self) -> Sequence[Pane]:
        """Return what is drawn in a frame, in this order."""

    @abstractmethod
    def main(self) -> Widget:
        """Return what has the keys first."""

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield self.header
        yield Tabs(VIEWS, self.name_)
        yield from self.body()
        yield Static(id="filter-wrong", markup=False)
        yield Input(id="filter", placeholder="words, field:value, !not; enter keeps it, esc clears it", compact=True)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Give the keys to the main part."""
        self.query_one("#filter").display = False
        self._say_what_is_wrong("")
        self.main().focus()
        self.repaint()

    def on_screen_resume(self) -> None:
        """Draw at once what has changed while another view was looked at."""
        self._drawn = None

    # -- frames -------------------------------------------------------------------------------------------------

    def look_at(self, picture: Picture) -> None:
        """Draw this picture from now on."""
        self.picture = picture
        self.header.picture = picture
        for pane in self.panes():
            pane.picture = picture
        self._drawn = None
        self.repaint()

    def frame(self) -> None:
        """Draw a frame, if anything has changed since the last one; while paused, only how much one has missed."""
        self.catch_up()
        if self.picture.frozen:
            self.header.repaint()
            return
        stamp = self.stamp()
        if stamp != self._drawn:
            self._drawn = stamp
            self.repaint()

    def stamp(self) -> object:
        """Return something that is another one whenever there is something new to draw."""
        return self.picture.stamp()

    def repaint(self) -> None:
        """Draw what is true now."""
        self.header.repaint()
        for pane in self.panes():
            pane.repaint()

    # -- keys ---------------------------------------------------------------------------------------------------

    @property
    def typing(self) -> bool:
        """Whether the keys go into the filter line."""
        return self.is_mounted and bool(self.query_one("#filter").display)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys that do something now, by key, in an order of their own: Textual puts mapped ones last."""
        return in_order(super().active_bindings)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Say which actions there are now; they are kept for later while a question, or the palette, is over it."""
        if not self.offers(action):
            return False
        return True if self.app.screen is self else None

    def offers(self, action: str) -> bool:
        """Leave a slash that is typed into the filter line to it, and offer none where nothing can be filtered."""
        return not (action == "filter" and (self.typing or not self._filterable()))

    def _filterable(self) -> list[Filtered]:
        panes: Sequence[Any] = self.panes()
        return [pane for pane in panes if isinstance(getattr(pane, "filter", None), Filter)]

    def action_sort(self, step: int) -> None:
        """Sort the rows by the next column, or the other way round."""
        pane = next((pane for pane in self.panes() if isinstance(pane, RowsPane)), None)
        if pane is not None:
            pane.sort(step)
            self.repaint()

    @on(VirtualTable.TitleClicked)
    def sort_by_title(self, clicked: VirtualTable.TitleClicked) -> None:
        """Sort by the column that was clicked."""
        pane = clicked.table.parent
        if isinstance(pane, RowsPane):
            pane.sort_by(clicked.column)
            self.repaint()

    def action_filter(self) -> None:
        """Ask for a filter for the pane that has the focus, or else for the first that can be filtered."""
        can = self._filterable()
        if not can:
            return
        self._filtering = next((pane for pane in can if pane.table.has_focus), can[0])
        line = self.query_one("#filter", Input)
        line.value = self._filtering.filter.text
        line.display = True
        self.set_focus(line)
        self.app.refresh_bindings()

    @on(Input.Changed, "#filter")
    def narrow(self, changed: Input.Changed) -> None:
        """Filter while it is being typed."""
        if self._filtering is None:
            return
        try:
            self._filtering.filter = parse(changed.value, self._filtering.fields)
            self._say_what_is_wrong("")
        except BadFilter as wrong:
            self._say_what_is_wrong(str(wrong))
        self.repaint()

    def _say_what_is_wrong(self, why: str) -> None:
        line = self.query_one("#filter-wrong", Static)
        line.update(Content(clean(why)))
        line.display = bool(why)

    @on(Input.Submitted, "#filter")
    def keep_filter(self) -> None:
        """Keep the filter and go back to the rows; a wrong one stays to be mended."""
        if self.query_one("#filter-wrong").display:
            return
        if self._filtering is not None:
            self.set_focus(self._filtering.table)
        self._say_what_is_wrong("")
        self.query_one("#filter").display = False
        self.app.refresh_bindings()

    def action_back(self) -> None:
        """Leave the filter line and clear the filter, or close the detail."""
        line = self.query_one("#filter", Input)
        if line.display:
            line.value = ""
            self._say_what_is_wrong("")
            self.keep_filter()
        elif self.has_class("-detail"):
            self.remove_class("-detail")
        elif any(self._filters()) and self._filters() != self._filters_then:
            for pane in self._filterable():
                pane.filter = parse("", pane.fields)
            self.repaint()
        else:
            self.action_return()

    def action_return(self) -> None:
        """Go back where one came from, if one has come by a link."""
        self.post_message(self.Left())

    def _filters(self) -> list[Filter]:
        return [pane.filter for pane in self._filterable()]

    @on(VirtualTable.Chosen)
    def open(self, chosen: VirtualTable.Chosen) -> None:
        """Show the detail of the row, where there is no room for it beside; else follow its links."""
        pane = chosen.table.parent
        if not isinstance(pane, Linked):
            return
        if pane.detail is not None and not pane.detail.display:
            self.add_class("-detail")
        elif pane.kind is not None:
            self.post_message(Linked.Followed(pane))

    # -- coming and going -----------------------------------------------------------------------------------------

    def linked(self) -> list[Linked]:
        """Return the panes whose rows are things."""
        return [pane for pane in self.panes() if isinstance(pane, Linked)]

    def shows(self, thing: Thing) -> Linked | None:
        """Return the pane that shows things like this one; None if none of its panes does."""
        return next((pane for pane in self.linked() if thing.kind in (pane.kind, pane.many)), None)

    def reveal(self, thing: Thing) -> bool:
        """Put the cursor on a thing, and the keys into its pane; return whether it is there."""
        pane = self.shows(thing)
        if pane is None or not pane.reveal(thing):
            return False
        self.remove_class("-detail")
        self.set_focus(pane.table)
        self._filters_then = self._filters()
        self.repaint()
        return True

    def stance(self) -> tuple[list[Stance], Widget | None, bool]:
        """Return where one is: the cursors and filters of all panes, who has the keys, whether the detail is open."""
        return [pane.stance() for pane in self.linked()], self.focused, self.has_class("-detail")

    def resume(self, stance: tuple[list[Stance], Widget | None, bool]) -> None:
        """Be where one was."""
        panes, focus, detail = stance
        for one in panes:
            one.pane.resume(one)
        self.set_class(detail, "-detail")
        self.set_focus(focus)
        self._filters_then = self._filters()
        self.repaint()

    def begin_anew(self) -> None:
        """Forget how one has come here."""
        self._filters_then = None
