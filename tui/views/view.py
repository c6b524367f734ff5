"""What all views have in common: a header above, a filter line and the keys below, and frames in between."""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.events import ScreenResume
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from ..bindings import bound, in_order, key_of, may_change
from ..copying import text_under, told
from ..drawing import Drawing
from ..filter import BadFilter, Filter, parse
from ..frames import Patience, in_slices
from ..keys import CHANGING
from ..links import Thing
from ..picture import Picture
from ..save_form import SaveForm
from ..shots import Shot
from ..text import clean
from ..widgets.filter_line import FilterLine
from ..widgets.header import Header
from ..widgets.keys import Keys
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
    def steps(self) -> Iterator[None]: ...


class Filtered(Protocol):
    """A pane whose rows can be filtered."""

    filter: Filter

    @property
    def called(self) -> str: ...
    @property
    def askable(self) -> Sequence[str]: ...
    @property
    def table(self) -> VirtualTable[Any]: ...
    def work_out(self) -> Iterator[None]: ...


class Choices(NamedTuple):
    """What esc takes back."""

    filters: list[Filter]
    detail: bool


class Standing(NamedTuple):
    """Where one was in a view."""

    panes: list[Stance]
    """The cursors and filters of its panes."""
    focus: Widget | None
    """What had the keys."""
    shown: Collection[str]
    """How it was laid out."""
    arrived: Choices | None
    """With what one had come there by a link, so that esc goes back; None if one had not."""


class View(Patience):
    """A screen that draws a picture. Subclasses say which panes there are, and how they are laid out.

    What keys do to servers is the app's business; here is only what they do to the view.
    """

    name_: ClassVar[str]
    """What it is called."""
    notes: ClassVar[str] = ""
    """What the numbers in it mean. A key is named by its id, ``{live.charts}``, and shown as the user has it."""

    changes_untold: ClassVar[bool] = False
    """Whether something in it changes more often than the vitals though no event tells of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("view.filter", "filter", "filter", priority=True),
        bound("view.next_match", "match(1)"),
        bound("view.previous_match", "match(-1)"),
        bound("view.next_pane", "app.focus_next"),
        bound("view.previous_pane", "app.focus_previous"),
        bound("view.sort", "sort(1)"),
        bound("view.reverse", "sort(0)"),
        Binding("escape", "back", show=False),
        bound("view.return", "return"),
    ]

    #: How it can be laid out otherwise than at first: with a detail in the place of something, or with charts.
    LAYOUTS: ClassVar[tuple[str, ...]] = ("-detail", "-charts")

    class Left(Message):
        """Somebody wants to go back where they came from."""

    def __init__(self, picture: Picture) -> None:
        super().__init__()
        self.picture = picture
        self.header = Header(picture, self.name_)
        self._line = FilterLine()
        self._drawn: object = None
        self._drawn_at_once = False
        self._filtering: Filtered | None = None
        self._arrived: Choices | None = None
        self.drawing = Drawing(self)
        """How its frames come to the terminal."""

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
        yield self._line
        yield Keys()

    def on_mount(self) -> None:
        """Give the keys to the main part."""
        self.main().focus()
        self.repaint()

    def maximize(self, widget: Widget, container: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002 - Textual's
        """Leave everything where it is: a view says itself what there is room for, and no key would end this."""
        return False

    # -- frames -------------------------------------------------------------------------------------------------

    def look_at(self, picture: Picture) -> None:
        """Draw this picture from now on."""
        self.picture = picture
        self.header.picture = picture
        for pane in self.panes():
            pane.picture = picture
        self._drawn = None
        self.repaint()

    def frame(self) -> Iterator[None]:
        """Draw a frame, if anything has changed since the last one; while paused, only how much one has missed."""
        self.catch_up()
        if self.app.app_focus:  # else no part has the keys, until they come back to the terminal
            self._keep_the_keys()
        missed = self.picture.missed
        stamp = self.stamp() if missed is None else missed()
        if stamp != self._drawn:
            self._drawn = stamp
            yield from self.steps(self.changed_panes() if missed is None else ())

    def stamp(self) -> object:
        """Return something that is another one whenever there is something new to draw."""
        return self.picture.stamp()

    def repaint(self) -> None:
        """Draw what is true now."""
        self.paint(self.panes())

    def draw(self) -> None:
        """Bring all of it to the terminal now, in place of another view.

        Until Textual's own drawing comes round the loop turns six or seven times, and each turn takes long where it has
        much to do. What draws here, and what is left for `on_screen_resume`, is not public.
        """
        self.refresh()
        self._on_timer_update()
        self._drawn_at_once = True

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Do the rest of what Textual does about a screen that one goes to, but do not draw all of it once more."""
        if self._drawn_at_once:
            self._drawn_at_once = False
            event.prevent_default()
            self.stack_updates += 1
            self.app._refresh_notifications()  # noqa: SLF001 - see `draw`
            self._update_auto_focus()
            self.update_node_styles(animate=False)

    def paint(self, panes: Sequence[Pane]) -> None:
        """Draw the header and these panes, as things are now."""
        with self.drawing:
            for _ in self.steps(panes):
                pass

    def steps(self, panes: Sequence[Pane]) -> Iterator[None]:
        """Draw the header and these panes, a line at a time."""
        yield
        self.header.repaint()
        yield
        for pane in panes:
            yield from pane.steps()

    def changed_panes(self) -> Sequence[Pane]:
        """Return the panes that may have something new to draw, since there is something: all, if it cannot tell."""
        return self.panes()

    # -- keys ---------------------------------------------------------------------------------------------------

    @property
    def typing(self) -> bool:
        """Whether the keys go into the filter line."""
        return self._line.is_open and self._line.input.has_focus

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
        """Say whether an action makes sense now: a slash that is typed into the filter line is left to it."""
        if action in CHANGING and not may_change(self):
            return False
        return not (action == "filter" and (self.typing or not self._filterable()))

    def _filterable(self) -> list[Filtered]:
        panes: Sequence[Any] = self.panes()
        return [pane for pane in panes if isinstance(getattr(pane, "filter", None), Filter)]

    async def action_sort(self, step: int) -> None:
        """Sort by the next column, or the other way round: the pane that has the keys, or else the first with rows."""
        can = [pane for pane in self.panes() if isinstance(pane, RowsPane)]
        if can:
            pane = next((pane for pane in can if pane.table.has_focus), can[0])
            pane.sort(step)
            await in_slices(pane.work_out())
            self.repaint()

    @on(VirtualTable.TitleClicked)
    async def sort_by_title(self, clicked: VirtualTable.TitleClicked) -> None:
        """Sort by the column that was clicked."""
        pane = clicked.table.parent
        if isinstance(pane, RowsPane):
            pane.sort_by(clicked.column)
            await in_slices(pane.work_out())
            self.repaint()

    def action_filter(self) -> None:
        """Ask for a filter for the pane that has the focus, or else for the first that can be filtered."""
        can = self._filterable()
        if not can:
            return
        pane = self._filtering = next((pane for pane in can if pane.table.has_focus), can[0])
        self._line.ask(pane.called, pane.filter.text, pane.askable)
        self.app.refresh_bindings()

    def action_match(self, rows: int) -> None:
        """Go to the next row that matches, in the pane that has the keys, or else in the first that is filtered."""
        narrowed = [pane for pane in self._filterable() if pane.filter]
        if not narrowed:
            ask, go = key_of(self, "view.filter"), key_of(self, "view.next_match")
            says = f"nothing is filtered here: {ask} filters, and then {go} goes from match to match"
            self.notify(says, severity="warning", markup=False)
            return
        pane = next((pane for pane in narrowed if pane.table.has_focus), narrowed[0])
        self.set_focus(pane.table)
        pane.table.step(rows)

    @on(Input.Changed, "#filter")
    async def narrow(self, changed: Input.Changed) -> None:
        """Filter while it is being typed; by nothing while it is wrong: half of it would not be what one asked for."""
        pane = self._filtering
        if pane is None or changed.value != changed.input.value:  # more was typed since, and will come here too
            return
        try:
            chosen, wrong = parse(changed.value, pane.askable), ""
        except BadFilter as bad:
            chosen, wrong = parse("", ()), str(bad)
        self._line.say_what_is_wrong(wrong)
        pane.table.remember()
        pane.filter = chosen
        await in_slices(pane.work_out())
        if pane.filter is not chosen:
            return
        self.repaint()
        if not (chosen or wrong):
            pane.table.recall()

    @on(Input.Submitted, "#filter")
    def keep_filter(self) -> None:
        """Keep the filter and go back to the rows; a wrong one stays to be mended."""
        if self._line.is_wrong:
            return
        if self._filtering is not None:
            self.set_focus(self._filtering.table)
        self._line.close()
        self.app.refresh_bindings()

    def action_back(self) -> None:
        """Leave the filter line and clear the filter, close the detail, or go back along a link."""
        if self._line.is_open:
            self._line.input.value = ""
            self._line.say_what_is_wrong("")
            self.keep_filter()
        elif self._choices() == self._arrived:
            self.action_return()
        elif self.has_class("-detail"):
            self.remove_class("-detail")
            self._keep_the_keys()
        elif any(self._choices().filters):
            for pane in self._filterable():
                pane.filter = parse("", ())
            self.repaint()
            for pane in self._filterable():
                pane.table.recall()
        else:
            self.action_return()

    def action_return(self) -> None:
        """Go back where one came from, if one has come by a link."""
        self.post_message(self.Left())

    def _choices(self) -> Choices:
        return Choices([pane.filter for pane in self._filterable()], self.has_class("-detail"))

    # -- taken along --------------------------------------------------------------------------------------------

    def action_copy(self) -> None:
        """Copy the selected row, or the detail, whichever has the keys."""
        text = text_under(self.focused)
        if text:
            self.app.copy_to_clipboard(text)
            self.notify(told(text), markup=False)
        else:
            copy = key_of(self, "app.copy")
            self.notify(f"there is nothing to copy here: {copy} copies the row or the detail that has the keys")

    async def action_save(self) -> None:
        """Ask how to save what is on the screen now, without the notifications that cover some of it, and save it."""
        self.app.clear_notifications()
        await self.query("Toast").remove()
        self._refresh_layout()

        def tell(written: list[Path] | None) -> None:
            if written:
                self.notify("\n".join(["saved:", *(clean(str(path)) for path in written)]), markup=False)

        await self.app.push_screen(SaveForm(Shot(self.app, self.name_)), tell)

    def _keep_the_keys(self) -> None:
        """Give the keys to what is to be seen, if they were in a part that is not any more."""
        if self.focused is None or not is_seen(self.focused):
            main = self.main()
            self.set_focus(main if is_seen(main) else next(iter(self.focus_chain), None))

    def opened(self, widget: Widget | None) -> Linked | None:
        """Show what there is no room for beside a table; where it is there, return the pane whose row is meant.

        A detail means the row that it is about.
        """
        for pane in self.linked():
            if widget is pane.table and pane.detail is not None and not pane.detail.display:
                self.add_class("-detail")
                self._keep_the_keys()
            elif widget is not None and widget in (pane.table, pane.detail):
                return pane
        return None

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
        self.make_room_for(pane)
        if is_seen(pane):
            self.set_focus(pane.table)
        self._arrived = self._choices()
        self.repaint()
        return True

    def make_room_for(self, pane: Widget) -> None:
        """Lay out what a pane is seen in, if there is such a layout: as at first, with a detail, or without charts."""
        charts = {"-charts"} if self.has_class("-charts") else set[str]()
        for shown in (charts, {*charts, "-detail"}, set[str](), {"-detail"}, charts):
            self._lay_out(shown)
            if is_seen(pane):
                break
        self._keep_the_keys()

    def _lay_out(self, shown: Collection[str]) -> None:
        for layout in self.LAYOUTS:
            self.set_class(layout in shown, layout)

    def stance(self) -> Standing:
        """Return where one is."""
        shown = frozenset(layout for layout in self.LAYOUTS if self.has_class(layout))
        return Standing([pane.stance() for pane in self.linked()], self.focused, shown, self._arrived)

    def resume(self, standing: Standing) -> None:
        """Be where one was."""
        for one in standing.panes:
            one.pane.resume(one)
        self._lay_out(standing.shown)
        self.set_focus(standing.focus)
        self._keep_the_keys()
        self._arrived = standing.arrived
        self.repaint()

    def begin_anew(self) -> None:
        """Forget how one has come here."""
        self._arrived = None
        for pane in self.linked():
            pane.begin_anew()


def is_seen(widget: Widget) -> bool:
    """Return whether there is room for a widget in how its view is laid out now."""
    return all(node.display for node in widget.ancestors_with_self)
