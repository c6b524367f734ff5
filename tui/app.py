"""The app: views, keys, and the frame clock. It starts nothing and decides nothing by itself: it asks the lab."""

import signal
from collections.abc import Iterable
from typing import Any, ClassVar

from echotui.server.lab import Lab, Refused
from echotui.server.records import ServerState
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.screen import Screen

from .dialogs import AskSignal, Help
from .frames import FrameClock, PaintMeter, Patience
from .picture import Picture, picture_of
from .terminal import PatientDriver
from .views.live import LiveView

#: The actions that change something: `--read-only` takes them away.
CHANGING = frozenset({"boom", "interrupt", "chat", "treat", "send_signal", "restart"})

NOTES = """\
reads/s    reads that brought data; TCP has no messages, a line may take several reads or share one
no events  how often select came back empty after its timeout
busy       share of the last second the server was running; – where it is not observed
lag        the latest that a timer of the loop fired late in the last second
painting   share of the last second that went into drawing this screen; the rate is halved above 5 %
unread     an open connection whose peer does not read: nothing more is read from it until it does
left open  its handler failed and nobody closed the socket: the lesson of e (error treatment)
*          a built-in client of this very process

A filter is words, field:value and !not. Fields of connections: id server peer state said;
of events: server kind id text.
"""


class PatientPalette(Patience, CommandPalette):
    """Textual's palette, with our patience for a slow terminal."""


class EchoApp(App[int]):
    """Draws a lab.

    Args:
        lab: what is drawn, and asked to do what the keys say. It is open already.
        loop: what the loop is, in words.
        refresh: frames a second, at the most.
        read_only: whether the keys that change something are taken away.
        picture: what is drawn in place of the lab's live records; for tests.
    """

    CSS_PATH = "echotui.tcss"
    TITLE = "echotui"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]

    # Priority: a key acts before the next one is handed out, so that what is typed fast is not taken for other keys.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "boom", "boom", id="connection.boom", tooltip="Let the selected connection's handler raise", priority=True),
        Binding("x", "interrupt", "end", id="connection.end", tooltip="Cancel its task, or close it", priority=True),
        Binding("n", "chat", "client", id="server.client", tooltip="A built-in client on the selected server", priority=True),
        Binding("e", "treat", "errors", id="server.treatment", tooltip="What becomes of a failing task of sockets", priority=True),
        Binding("space", "pause", "pause", id="view.pause", tooltip="Freeze the view; collecting goes on", priority=True),
        Binding("r", "restart", "restart", id="lab.restart", tooltip="Start the servers that are stopped or failed", priority=True),
        Binding("question_mark", "help", "help", key_display="?", id="app.help", priority=True),
        Binding("q", "quit", "quit", id="app.quit", priority=True),
        Binding("ctrl+c", "quit", "quit", show=False, priority=True),
        Binding("s", "send_signal", "signal", id="lab.signal", tooltip="Send SIGINT, SIGTERM or SIGHUP to this process", priority=True),
    ]

    def __init__(
        self, lab: Lab, loop: str, *, refresh: float = 10.0, read_only: bool = False, picture: Picture | None = None
    ) -> None:
        super().__init__(driver_class=PatientDriver)
        self.lab = lab
        self.read_only = read_only
        self.paint_meter = PaintMeter()
        self._live = picture_of(lab, loop) if picture is None else picture
        self._paused_at: int | None = None
        self._clock = FrameClock(refresh, self.paint_meter, self._paint)
        self.view = LiveView(lab, self._live, self.paint_meter)

    def get_default_screen(self) -> Screen[Any]:
        """Begin with the Live view."""
        return self.view

    def on_mount(self) -> None:
        """Start the clock, and leave when a signal from outside has stopped the servers."""
        self.run_worker(self._clock.run(), name="frame-clock")
        self.run_worker(self._leave_when_ended(), name="leave")

    async def _leave_when_ended(self) -> None:
        self.exit(return_code=128 + await self.lab.ended_by)

    def hang_up(self) -> None:
        """Note that the terminal was closed."""
        if isinstance(self._driver, PatientDriver):
            self._driver.hang_up()

    def _paint(self) -> None:
        if self._paused_at is None:
            self.view.frame()
        else:
            self.view.catch_up()
            self.view.header.missed = self._live.journal.recorded - self._paused_at
            self.view.header.repaint()
        self.refresh_bindings_if_changed()

    # -- keys -------------------------------------------------------------------------------------------------

    _restartable = False

    def refresh_bindings_if_changed(self) -> None:
        """Let the footer offer `r` only where there is something to start again."""
        restartable = any(
            record.state in (ServerState.STOPPED, ServerState.FAILED) for record in self._live.servers
        )
        if restartable is not self._restartable:
            self._restartable = restartable
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say which actions there are now."""
        if self.view.typing or (action in CHANGING and self.read_only):
            return False
        if action == "restart":
            return self._restartable
        return True

    def _do(self, command: Any, *arguments: object) -> Any:
        """Give the lab a command; where it refuses, say why."""
        try:
            return command(*arguments)
        except Refused as refused:
            self.notify(str(refused), severity="warning", markup=False)
            return None

    def _selected_connection(self) -> int | None:
        selected = self.view.connections.table.selected
        if selected is None:
            self.notify("no connection is selected: connect one, or press n", severity="warning", markup=False)
            return None
        return selected.id

    def action_boom(self) -> None:
        """Let the selected connection's handler raise, as if its peer had said boom."""
        if (selected := self._selected_connection()) is not None:
            self._do(self.lab.boom, selected)

    def action_interrupt(self) -> None:
        """End the selected connection: cancel its task, or close it where it has none."""
        if (selected := self._selected_connection()) is not None:
            self._do(self.lab.interrupt, selected)

    def action_chat(self) -> None:
        """Let a built-in client chat with the selected server."""
        if (server := self.view.servers.table.selected) is not None:
            self._do(self.lab.chat, server.name)

    def action_treat(self) -> None:
        """Switch what becomes of a task of the sockets server that fails."""
        treatment = self._do(self.lab.treat)
        if treatment is not None:
            self.notify(f"a failing task of sockets is now {treatment}", markup=False)

    def action_pause(self) -> None:
        """Freeze the view, or let it go on."""
        if self._paused_at is None:
            self._paused_at = self._live.journal.recorded
            self.view.look_at(self._live.freeze(), missed=0)
        else:
            self._paused_at = None
            self.view.look_at(self._live)

    def action_restart(self) -> None:
        """Start the servers that are stopped, or could not listen."""

        async def restart() -> None:
            try:
                await self.lab.restart()
            except Refused as refused:
                self.notify(str(refused), severity="warning", markup=False)

        self.run_worker(restart(), name="restart")

    def action_send_signal(self) -> None:
        """Ask which signal to send to this process, and send it."""

        def send(number: signal.Signals | None) -> None:
            if number is not None:
                self._do(self.lab.send_signal, number)

        self.push_screen(AskSignal(self.lab.settings.drain), send)

    def action_help(self) -> None:
        """Show the keys and what the numbers mean."""
        self.push_screen(Help(self._keys(), NOTES))

    def action_command_palette(self) -> None:
        """Show every action by name."""
        if not any(isinstance(screen, CommandPalette) for screen in self.screen_stack):
            self.push_screen(PatientPalette(id="--command-palette"))

    async def action_quit(self) -> None:
        """Leave. The lab ends what is still open."""
        self.exit(return_code=0)

    def _keys(self) -> list[tuple[str, str]]:
        keys = []
        for source in (self.BINDINGS, self.view.BINDINGS):
            for binding in source:
                if isinstance(binding, Binding) and self.check_action(binding.action, ()) is not False:
                    shown = binding.key_display or binding.key.replace(",", ", ")
                    keys.append((shown, binding.tooltip or binding.description))
        keys += [
            ("tab", "the next pane"),
            ("↑↓ j k", "move; page up, page down, home g, end G"),
            ("enter", "details of the connection, where they are not on the screen"),
            ("ctrl+p", "every action by name"),
        ]
        return keys

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer every key's action in the palette, and what Textual has: themes, a screenshot."""
        for binding in (*self.BINDINGS, *self.view.BINDINGS):
            if isinstance(binding, Binding) and binding.id and binding.id not in ("app.quit", "view.back"):
                name = binding.action.partition("(")[0]
                if self.check_action(name, ()):
                    title = (binding.tooltip or binding.description).capitalize()
                    yield SystemCommand(title, f"key {binding.key_display or binding.key}", self._runner(binding.action))
        yield from super().get_system_commands(screen)

    def _runner(self, action: str) -> Any:
        async def run() -> None:
            await self.view.run_action(action if action.startswith(("filter", "sort")) else f"app.{action}")

        return run
