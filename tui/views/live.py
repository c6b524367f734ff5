"""View 1, Live: the servers, their connections, one of them in detail, and what happens."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Footer, Input, Static

from echotui.server.lab import Lab

from ..filter import BadFilter, parse
from ..frames import Patience
from ..picture import Picture
from ..text import clean
from ..widgets.header import Header
from ..widgets.table import VirtualTable
from .connections import ConnectionsPane
from .detail import DetailPane
from .events import EventsPane
from .servers import ServersPane


class LiveView(Patience):
    """The panes, and what the keys do to them. What they do to the servers is the app's business."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash",
            "filter",
            "filter",
            tooltip="Show only what matches: words, field:value, !not",
            key_display="/",
            id="view.filter",
            priority=True,
        ),
        Binding("o", "sort(1)", show=False, tooltip="Sort the connections by the next column", id="view.sort"),
        Binding("O", "sort(0)", show=False, tooltip="Sort the connections the other way round", id="view.reverse"),
        Binding("escape", "back", show=False, tooltip="Clear the filter, or close the detail", id="view.back"),
    ]

    def __init__(self, lab: Lab, picture: Picture) -> None:
        super().__init__()
        self.picture = picture
        self.header = Header(picture)
        self.servers = ServersPane(picture)
        self.connections = ConnectionsPane(picture)
        self.detail = DetailPane(picture, lab.tcp_info)
        self.events = EventsPane(picture)
        self._drawn: object = None
        self._filtering: ConnectionsPane | EventsPane = self.connections

    def compose(self) -> ComposeResult:
        """Lay the panes out."""
        yield self.header
        yield self.servers
        with Horizontal(id="middle"):
            yield self.connections
            yield self.detail
        yield self.events
        yield Static(id="filter-wrong", markup=False)
        yield Input(id="filter", placeholder="words, field:value, !not; enter keeps it, esc clears it", compact=True)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Give the keys to the connections."""
        self.servers.styles.height = len(self.picture.servers) + 3
        self.query_one("#filter").display = False
        self._say_what_is_wrong("")
        self.connections.table.focus()
        self.repaint()

    def look_at(self, picture: Picture) -> None:
        """Draw this picture from now on."""
        self.picture = picture
        for pane in (self.header, self.servers, self.connections, self.detail, self.events):
            pane.picture = picture
        self.repaint()

    def frame(self) -> None:
        """Draw a frame, if anything has changed since the last one; while paused, only how much one has missed."""
        self.catch_up()
        if self.picture.frozen:
            self.header.repaint()
            return
        stamp = self.picture.stamp()
        if stamp != self._drawn:
            self._drawn = stamp
            self.repaint()

    def repaint(self) -> None:
        """Draw what is true now."""
        self.header.repaint()
        self.servers.repaint()
        self.connections.repaint()
        self.detail.connection = self.connections.table.selected
        self.detail.repaint()
        self.events.repaint()

    @property
    def typing(self) -> bool:
        """Whether the keys go into the filter line."""
        return self.is_mounted and bool(self.query_one("#filter").display)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Leave a slash that is typed into the filter line to the line."""
        return not (action == "filter" and self.typing)

    # -- keys -------------------------------------------------------------------------------------------------

    @on(VirtualTable.Chosen, "#connection-table")
    def show_detail(self) -> None:
        """On a small screen, show the detail in the place of the events."""
        self.toggle_class("-detail")

    @on(VirtualTable.TitleClicked, "#connection-table")
    def sort_by_title(self, clicked: VirtualTable.TitleClicked) -> None:
        """Sort by the column that was clicked."""
        self.connections.sort_by(clicked.column)
        self.repaint()

    @on(VirtualTable.Moved, "#connection-table")
    def show_other_detail(self) -> None:
        """Show the connection the cursor is on now, at once."""
        self.detail.connection = self.connections.table.selected
        self.detail.repaint()

    def action_sort(self, step: int) -> None:
        """Sort the connections by the next column, or the other way round."""
        self.connections.sort(step)
        self.repaint()

    def action_filter(self) -> None:
        """Ask for a filter for the pane that has the focus: the events, or else the connections."""
        self._filtering = self.events if self.events.table.has_focus else self.connections
        line = self.query_one("#filter", Input)
        line.value = self._filtering.filter.text
        line.display = True
        self.set_focus(line)
        self.app.refresh_bindings()

    @on(Input.Changed, "#filter")
    def narrow(self, changed: Input.Changed) -> None:
        """Filter while it is being typed."""
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
        """Keep the filter and go back to the rows."""
        self.set_focus(self._filtering.table)
        self._say_what_is_wrong("")
        self.query_one("#filter").display = False
        self.app.refresh_bindings()

    def action_back(self) -> None:
        """Leave the filter line and clear the filter, or close the detail."""
        line = self.query_one("#filter", Input)
        if line.display:
            line.value = ""
            self.keep_filter()
        elif self.has_class("-detail"):
            self.remove_class("-detail")
        elif self.connections.filter or self.events.filter:
            for pane in (self.connections, self.events):
                pane.filter = parse("", pane.fields)
            self.repaint()
