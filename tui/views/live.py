"""View 1, Live: the servers, their connections, one of them in detail, and what happens."""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.events import DescendantFocus
from textual.widget import Widget

from echotui.server.lab import Lab

from ..bindings import bound
from ..picture import Picture
from ..widgets.chart import Series
from ..widgets.table import VirtualTable
from .charts import ChartsPane, lag, throughput
from .connections import ConnectionsPane
from .detail import DetailPane
from .events import EventsPane
from .servers import ServersPane
from .view import Pane, View


class LiveView(View):
    """What is connected, and what happens."""

    name_ = "Live"
    notes: ClassVar[str] = """\
reads/s    reads that brought data; TCP has no messages, a line may take several reads or share one
bytes/s    those that came in and those that went out, together
no events  how often select came back empty after its timeout
busy       share of the last second the server, or its tasks, were running; – where it is not observed: nobody times
           the callbacks that protocol is made of
unread     an open connection whose peer does not read: nothing more is read from it until it does
left open  its handler failed and nobody closed the socket: the lesson of {app.treat} (error treatment)
*          a built-in client of this very process
○          in the last column: how a connection ended; without it, what it said last
charts     {live.charts}: of all servers, of the selected one, none; a bar is the highest of its seconds, from zero
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        # The footer is full on a small screen: the frame of the servers says it.
        bound("live.charts", "charts"),
    ]

    def __init__(self, lab: Lab, picture: Picture) -> None:
        super().__init__(picture)
        self.servers = ServersPane(picture)
        self.connections = ConnectionsPane(picture)
        self.detail = self.connections.detail = self.servers.detail = DetailPane(picture, lab.tcp_info)
        self.events = EventsPane(picture)
        self.charts = ChartsPane(picture, self._throughput, lag, id="charts")
        self._charts_of_all = False
        self._told: object = None

    def body(self) -> Iterable[Widget]:
        """Yield the panes."""
        self.servers.styles.height = len(self.picture.servers) + 3
        yield self.servers
        yield Horizontal(self.connections, self.detail, classes="middle")
        yield self.charts
        yield self.events

    def panes(self) -> Sequence[Pane]:
        """Return the panes; the detail after the connections, because it is of the one under their cursor."""
        return self.connections, self.servers, self.detail, self.events, self.charts

    def main(self) -> Widget:
        """Return the connections."""
        return self.connections.table

    def steps(self, panes: Sequence[Pane]) -> Iterator[None]:
        """Draw these panes, and the detail of what the cursor is on now."""
        yield from super().steps(panes)
        self._show_selected()

    def changed_panes(self) -> Sequence[Pane]:
        """Leave the connections out where nothing has happened but a select that came back empty: every second."""
        told, self._told = self._told, self.picture.stamp_of_connections()
        return (self.servers, self.events) if self._told == told else self.panes()

    def action_charts(self) -> None:
        """Show charts of all servers, then of the selected one, then none."""
        if not self.has_class("-charts"):
            self._charts_of_all = True
            self.add_class("-charts")
        elif self._charts_of_all:
            self._charts_of_all = False
        else:
            self.remove_class("-charts")
        self.charts.repaint()

    def _throughput(self, picture: Picture) -> Series:
        selected = self.servers.table.selected
        return throughput(picture, None if self._charts_of_all or selected is None else selected.name)

    @on(VirtualTable.Moved, "#server-table")
    def _show_charts(self) -> None:
        self.charts.repaint()

    @on(DescendantFocus)
    @on(VirtualTable.Moved, "#connection-table, #server-table")
    def _show_selected(self) -> None:
        """Show more of what the keys move over: a connection, or a server; the detail itself is of what it was of."""
        connection, server = self.connections.table.selected, None
        if self.servers.table.has_focus:
            server = self.servers.table.selected
        elif self.detail.has_focus and self.detail.server is not None:
            name = self.detail.server.name  # a paused picture has records of its own
            server = next((record for record in self.picture.servers if record.name == name), None)
        if self.detail.connection is not connection or self.detail.server is not server:
            self.detail.connection, self.detail.server = connection, server
            self.detail.repaint()
