"""The app: views, keys, and the frame clock. It starts nothing and decides nothing by itself: it asks the lab."""

import os
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, InputEvent, Key, Resize
from textual.keys import key_to_character
from textual.screen import Screen
from textual.widget import Widget

from echotui.server.faults.active import ActiveFault
from echotui.server.faults.catalogue import Kind
from echotui.server.journal import Entry
from echotui.server.lab import Lab, Refused
from echotui.server.naming import exposed
from echotui.server.records import ServerState

from .bindings import bound, explained, naming_keys, textual_keymap
from .dialogs import AskSignal, Help
from .frames import FrameClock, PaintMeter, Patience
from .keys import CHANGING, DEFAULT_KEYS, EVERYWHERE, KEYS, Keymap
from .navigator import Navigator
from .orderly import OrderlyApp
from .palette import PatientPalette, themes
from .picture import Picture, picture_of
from .terminal import PatientDriver
from .text import clean
from .views.live import LiveView
from .views.shelf import Shelf
from .views.view import VIEWS, View
from .widgets.table import VirtualTable

#: The actions of the app's own keys that do something in one view only, and the name of that.
HOMES = {key.action: key.home for key in KEYS if key.home}

#: How long it is said in full that other machines can connect, in seconds; a word in the header goes on saying it.
EXPOSED_TIME = 10.0


def _key(name: str, action: str, label: str = "") -> Binding:
    """Return a binding of the app.

    They have priority: a key acts before the next one is handed out, so that what is typed fast after a slash goes
    into the filter, and is not taken for keys.
    """
    return bound(f"app.{name}", action, label, priority=True)


class EchoApp(OrderlyApp[int]):
    """Draws a lab.

    Args:
        lab: what is drawn, and asked to do what the keys say. It is open already.
        loop: what the loop is, in words.
        refresh: frames a second, at the most.
        read_only: whether the keys that change something are taken away.
        theme: the name of one of Textual's themes; None for the one Textual takes by itself.
        keymap: the keys.
        picture: what is drawn in place of the lab's live records; for tests.
    """

    CSS_PATH = "echotui.tcss"
    DEFAULT_MODE = "1"
    TITLE = "echotui"
    NOTIFICATION_TIMEOUT = 2.5  # they cover the newest events
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - Textual declares it so
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (18, "-short"), (32, "-tall")]  # noqa: RUF012 - Textual declares it so

    BINDINGS: ClassVar[list[BindingType]] = [
        *(_key(name.lower(), f"view('{number}')") for number, name in VIEWS.items()),
        _key("help", "help", "help"),
        _key("quit", "leave", "quit"),
        _key("boom", "boom", "boom"),
        _key("interrupt", "interrupt", "end"),
        _key("chat", "chat", "chat"),
        _key("start_or_stop", "start_or_stop", "on/off"),
        _key("treat", "treat", "errors"),
        _key("pause", "pause", "pause"),
        _key("restart", "restart", "restart"),
        bound("app.copy", "screen.copy", "copy"),
        bound("app.save", "screen.save", "save"),
        bound("table.choose", "choose"),
        Binding("ctrl+c", "quit", show=False, priority=True),
        bound("app.suspend", "suspend_process"),
        _key("send_signal", "send_signal", "signal"),
    ]

    #: The actions that a question, the help or the palette keeps from acting behind it.
    OF_VIEWS: ClassVar[frozenset[str]] = frozenset(
        one.action.partition("(")[0] for one in BINDINGS if isinstance(one, Binding) and one.id and one.priority
    )

    def __init__(  # noqa: PLR0913 - what a user may choose
        self,
        lab: Lab,
        loop: str,
        *,
        refresh: float = 10.0,
        read_only: bool = False,
        theme: str | None = None,
        keymap: Keymap = DEFAULT_KEYS,
        picture: Picture | None = None,
    ) -> None:
        super().__init__(driver_class=PatientDriver, ansi_color=True if os.environ.get("NO_COLOR") else None)
        if theme is not None:
            self.theme = theme
        self.keymap = keymap
        """The keys in effect."""
        self.lab = lab
        if lab.observation is not None:
            # How Textual's own tasks time and cancel each other is not what one is here to see; what they cost is.
            lab.observation.untold = frozenset({"ui"})
        self.read_only = read_only
        self.paint_meter = PaintMeter()
        self._live = picture_of(lab, loop, lambda: self.paint_meter.measured) if picture is None else picture
        self._clock = FrameClock(
            refresh,
            self.paint_meter,
            self._frame,
            drawing=lambda: self.view.drawing,
            is_quiet=lambda: lab.observation is None or lab.observation.is_quiet,
            looks=self._may_be_new,
        )
        self.live = LiveView(lab, self._live)
        self.views = Shelf(self.live, self._live)
        self.view: View = self.live
        """The view one looks at."""
        self.navigator = Navigator(self)
        for key in self.views.keys() - {self.DEFAULT_MODE}:
            self.add_mode(key, partial(self._laid_out, key))

    def get_default_screen(self) -> Screen[Any]:
        """Return the Live view, which one looks at first."""
        return self._laid_out(self.DEFAULT_MODE)

    def _laid_out(self, key: str) -> View:
        """Return a view with what Textual finds out about it only once it has styled and laid out all of it.

        These are the classes for its size, and that no styles have changed since they were read.
        """
        view = self.views[key]
        view._css_update_count = self._css_update_count  # noqa: SLF001 - there is no public way
        for size, breakpoints in zip(self.size, (self.HORIZONTAL_BREAKPOINTS, self.VERTICAL_BREAKPOINTS), strict=True):
            view.add_class(max(reached for reached in breakpoints if reached[0] <= size)[1])
        return view

    async def on_mount(self) -> None:
        """Start the clock, and leave when a signal from outside has stopped the servers."""
        self.set_keymap(textual_keymap(self.keymap))
        # Not before: of a mode that is known, a view begins to run before it is on a stack, where tasks are eager.
        self.add_mode(self.DEFAULT_MODE, partial(self._laid_out, self.DEFAULT_MODE))
        if any(record.exposed for record in self.lab.records):
            self.notify(clean(exposed(self.lab.settings.host)), severity="warning", markup=False, timeout=EXPOSED_TIME)
        self.lab.journal.subscribe(self._look_again)
        self.lab.on_sample.append(self._clock.wake)
        self.run_worker(self._clock.run(), name="frame-clock")
        self.run_worker(self._leave_when_ended(), name="leave")

    def _look_again(self, entry: Entry) -> None:
        """Have a clock that rests show what has happened."""
        if self._live.is_news(entry.event):
            self._clock.wake()

    def _may_be_new(self) -> bool:
        """Return whether there may be something to draw of which neither an event nor the vitals tell."""
        driver = self._driver
        waits = isinstance(driver, PatientDriver) and driver.behind
        counts_down = self.lab.draining_until is not None
        return waits or counts_down or self.view.changes_untold or not self.lab.journal.details_open

    async def _leave_when_ended(self) -> None:
        self.exit(return_code=128 + await self.lab.ended_by)

    async def on_event(self, event: Event) -> None:
        """Let who presses a key, moves the mouse, or gives the screen another size see at once what becomes of it."""
        if isinstance(event, InputEvent | Resize):
            self._clock.attend()
        await super().on_event(event)

    def check_terminal(self) -> bool:
        """Look whether the terminal was closed; nothing is drawn any more then. Returns whether it was."""
        driver = self._driver
        if not isinstance(driver, PatientDriver):
            return False
        driver.check()
        return driver.gone

    def _frame(self) -> Iterator[None]:
        """Draw a frame of the view one looks at, step by step, and what a slow terminal has held back."""
        if self.check_terminal():
            self.lab.hang_up()
            return
        yield from self.view.frame()
        for screen in self.screen_stack[-1:]:  # none at all while a view is being mounted
            if isinstance(screen, Patience):
                screen.catch_up()
        self.refresh_bindings_if_changed()

    # -- keys -------------------------------------------------------------------------------------------------

    _restartable = False

    def refresh_bindings_if_changed(self) -> None:
        """Let the footer offer `r` only where there is something to start again."""
        restartable = any(
            record.wanted and record.state in (ServerState.STOPPED, ServerState.FAILED) for record in self._live.servers
        )
        if restartable is not self._restartable and self.screen_stack:  # there is none while a view is being mounted
            self._restartable = restartable
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Say which actions there are now; they are kept for later while a question, or the palette, is over a view."""
        if not self._offers(action):
            return False
        return None if action in self.OF_VIEWS and self.screen is not self.view else True

    def _offers(self, action: str) -> bool:
        """Return whether an action makes sense in the view one looks at."""
        if self.view.typing or (action in CHANGING and self.read_only):
            return False
        return HOMES.get(action) in (None, self.view.name_.lower())

    def on_key(self, event: Key) -> None:
        """Say why a key does nothing: it is one of another view, or `--read-only` has taken it away."""
        if self.screen is not self.view or self.view.typing:
            return
        key = key_to_character(event.key) or event.key
        meanings = self.keymap.meanings(key)
        here = [one for one in meanings if one.works_in in (EVERYWHERE, self.view.name_.lower())]
        if self.read_only and any(one.changes for one in here):
            self.say("read-only: nothing can be changed here")
        elif meanings and not here:
            homes = {one.works_in for one in meanings}
            views = [f"{number}, {name}" for number, name in VIEWS.items() if name.lower() in homes]
            self.say(f"{key} does something in view{'s' * (len(views) > 1)} {' and '.join(views)}")

    def is_of_use(self, binding: Binding) -> bool:
        """Return whether the footer, which is short, should name a key now."""
        return binding.action != "restart" or self._restartable

    def get_key_display(self, binding: Binding) -> str:
        """Return how the footer writes a key: as it is typed, where Textual would have its name."""
        typed = key_to_character(binding.key)
        return typed if typed is not None and not typed.isspace() else super().get_key_display(binding)

    def _do(self, command: Callable[..., object], *arguments: object) -> bool:
        """Give the lab a command; where it refuses, say why. Returns whether it was done."""
        try:
            command(*arguments)
        except Refused as refused:
            self.notify(str(refused), severity="warning", markup=False)
            return False
        return True

    def _tell(self, done: str) -> None:
        """Say what was done to what: the pane it is seen in may not have the keys, or stand still."""
        paused = " (paused: not in the picture)" if self.view.picture.frozen else ""
        self.notify(clean(done) + paused, markup=False)

    def _selected_connection(self) -> int | None:
        selected = self.live.connections.table.selected
        if selected is None:
            press = self.keymap.first("app.chat")
            self.notify(f"no connection is selected: connect one, or press {press}", severity="warning", markup=False)
            return None
        return selected.id

    def action_boom(self) -> None:
        """Let the selected connection's handler raise, as if its peer had said boom."""
        if (selected := self._selected_connection()) is not None:
            self._do(self.lab.boom, selected)

    def action_interrupt(self) -> None:
        """End the selected connection: cancel its task, or close it where it has none."""
        if (selected := self._selected_connection()) is not None and self._do(self.lab.interrupt, selected):
            self._tell(f"connection {selected}: asked to end")

    def action_chat(self) -> None:
        """Let a built-in client chat with the selected server."""
        if (server := self.live.servers.table.selected) is not None:
            self._do(self.lab.chat, server.name)

    def action_start_or_stop(self) -> None:
        """Start the selected server, or stop it."""
        record = self.live.servers.table.selected
        if record is None:
            return

        async def toggle() -> None:
            if self.lab.servers[record.name].record.state in (ServerState.STOPPED, ServerState.FAILED):
                await self.lab.start_server(record.name)
            else:
                await self.lab.stop_server(record.name)
            self._tell(f"{record.name}: {self.lab.servers[record.name].record.state}")

        self._in_background(toggle())

    async def action_choose(self) -> None:
        """Show what there is no room for beside what has the keys, or go where it leads."""
        await self._choose(self.view.focused)

    @on(VirtualTable.Chosen)
    async def chosen(self, chosen: VirtualTable.Chosen) -> None:
        """Do as if enter was pressed on a row."""
        await self._choose(chosen.table)

    async def _choose(self, widget: Widget | None) -> None:
        pane = self.view.opened(widget)
        if pane is None:
            return
        if isinstance(kind := pane.item(), Kind):
            await self._ask_for_fault(kind)
        else:
            await self.navigator.follow(pane)

    async def _ask_for_fault(self, kind: Kind) -> None:
        """Ask how a fault is to be injected."""
        if self.read_only:
            self.say("read-only: nothing can be injected here")
            return
        latest = reversed([*self.lab.connections.open.values()])
        looked_at = self.live.connections.table.selected
        # A paused picture shows it as it was.
        selected = None if looked_at is None else self.lab.connections.get(looked_at.id) or looked_at
        allowed = partial(self.lab.faults.is_possible, kind.name)
        from .fault_form import FaultForm, targets_of  # widgets that nothing else needs

        targets = targets_of(kind, selected, latest, self._live.servers, allowed)
        if targets:
            await self.ask(FaultForm(kind, targets, self.lab.faults.inject), self._injected)
        else:
            self.notify(f"{kind.name} needs a connection: select one in view 1", severity="warning", markup=False)

    def _injected(self, fault: ActiveFault | None) -> None:
        from .views.faults import FaultsView

        if fault is not None and isinstance(self.view, FaultsView):
            self.view.show_injected(fault)

    def action_treat(self) -> None:
        """Switch what becomes of a task of the sockets server that fails."""
        if self._do(self.lab.treat):
            self._tell(f"a failing task of sockets is now {self.lab.servers['sockets'].record.treatment}")

    async def action_view(self, key: str) -> None:
        """Look at another view."""
        if self.screen is self.view:
            self.navigator.forget()
            await self.show_view(key)

    async def show_view(self, key: str) -> None:
        """Bring a view to the screen, drawing the picture one was looking at. What was said in another one is over."""
        view = self.views[key]
        if view is not self.view:
            self.clear_notifications()
            picture = self.view.picture
            self.view = view
            known = self._is_laid_out
            with self.batch_update() if known else nullcontext():
                await self.switch_mode(key)
                if view.picture is not picture:
                    view.look_at(picture)
                else:
                    view.repaint()  # it is drawn at once, and has to be what is true now
            if known:
                view.draw()

    def delay_update(self, delay: float = 0.05) -> None:
        """Draw nothing for a while: a view that one goes to has to be laid out. One that is, is drawn at once."""
        if not (isinstance(self.screen, View) and self._is_laid_out):
            super().delay_update(delay)

    @property
    def _is_laid_out(self) -> bool:
        """Whether the view one goes to was looked at before, and the terminal has had the same size since."""
        return self.view.is_mounted and self.view.outer_size == self.size

    @on(View.Left)
    async def go_back(self) -> None:
        """Go back where one came from."""
        await self.navigator.back()

    def say(self, what: str) -> None:
        """Tell the person at the keyboard why a key did nothing, or something else than they may think."""
        self.notify(what, severity="warning", markup=False)

    def action_pause(self) -> None:
        """Freeze the view, or let it go on."""
        self.view.look_at(self._live if self.view.picture.frozen else self._live.freeze())
        self.refresh_bindings()

    def action_restart(self) -> None:
        """Start the servers that a signal has stopped, or that could not listen."""
        asleep = [
            record.name for record in self.lab.records if record.state in (ServerState.STOPPED, ServerState.FAILED)
        ]
        if self.lab.draining_until is not None or any(
            record.wanted for record in self.lab.records if record.name in asleep
        ):
            self._in_background(self.lab.restart())
        else:
            by_hand = f"; {self.keymap.first('app.start_or_stop')} starts {', '.join(asleep)}" if asleep else ""
            self.say(f"there is nothing to start again{by_hand}")

    def _in_background(self, command: Coroutine[Any, Any, None]) -> None:
        """Give the lab a command that takes its time; where it refuses, say why."""

        async def run() -> None:
            try:
                await command
            except Refused as refused:
                self.notify(str(refused), severity="warning", markup=False)

        self.run_worker(run(), name="command")

    async def action_send_signal(self) -> None:
        """Ask which signal to send to this process, and send it."""

        def send(number: signal.Signals | None) -> None:
            if number is not None:
                self._do(self.lab.send_signal, number)

        states = [record.state for record in self.lab.records]
        await self.ask(AskSignal(self.lab.settings.drain, self.keymap.first("app.restart"), states), send)

    async def ask(self, question: Screen[Any], answered: Callable[[Any], None] | None = None) -> None:
        """Put a question, or the help, in front of the view: one at a time.

        Keys may come faster than what they ask for. Several in front of each other would each draw all that is behind
        them, and lay it out at every change of the terminal's size: the loop would not come back from that.
        """
        if self.screen is self.view:
            await self.push_screen(question, answered)

    async def action_help(self) -> None:
        """Show the keys and what the numbers mean."""
        await self.ask(Help(explained(self.keymap, self._offered()), naming_keys(self.keymap, self.view.notes)))

    async def action_command_palette(self) -> None:  # type: ignore[override] # Textual awaits its actions
        """Show every action by name."""
        await self.ask(PatientPalette(id="--command-palette"))

    def search_themes(self) -> None:
        """Show every theme by name."""
        self.call_later(self.ask, themes())

    async def action_quit(self) -> None:
        """Leave. The lab ends what is still open."""
        self.exit(return_code=0)

    async def action_leave(self) -> None:
        """Leave, by a key that means something else in a dialog."""
        await self.action_quit()

    def _offered(self) -> Iterable[Binding]:
        """Yield the keys that do something now."""
        for binding in (*self.BINDINGS, *View.BINDINGS, *vars(type(self.view)).get("BINDINGS", ())):
            if isinstance(binding, Binding) and binding.id and self._is_offered(binding):
                yield binding

    def _is_offered(self, binding: Binding) -> bool:
        action = binding.action.partition("(")[0]
        return bool(self._offers(action) and self.view.offers(action))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:  # noqa: ARG002 - as Textual has it
        """Offer every key's action in the palette, and the themes.

        What else Textual offers there does not fit: a widget that is maximized stays so, a panel of keys that no key
        closes takes a third of the screen, and a screenshot of its own lies beside ours.
        """
        for binding in self._offered():
            title = "Quit" if binding.action == "leave" else binding.tooltip
            yield SystemCommand(title, f"key {self.keymap.shown(binding.id or '')}", partial(self._run, binding))
        yield SystemCommand("Theme", "Choose other colours", self.action_change_theme)

    async def _run(self, binding: Binding) -> None:
        await self.run_action(binding.action, self if binding in self.BINDINGS else self.view)
