"""The form that asks how a fault is to be injected: where, with what parameters, how probably, for how long."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Select, Static

from echotui.server.faults.active import ActiveFault
from echotui.server.faults.catalogue import Kind, On
from echotui.server.faults.parameters import BadFault
from echotui.server.records import Connection, ServerRecord

from .dialog import Dialog
from .text import clean

#: A target: the id of a connection, the name of a server, or None for the loop.
TargetChoice = int | str | None

Inject = Callable[..., ActiveFault]


#: How long a seed can be: all of its digits count.
MOST_DIGITS = 18

#: How many connections a form offers: who wants another one selects it before.
MOST_OFFERED = 50


def targets_of(
    kind: Kind,
    selected: Connection | None,
    latest: Iterable[Connection],
    servers: Sequence[ServerRecord],
    allowed: Callable[[TargetChoice], bool],
) -> list[tuple[str, TargetChoice]]:
    """Return where a fault can be injected, each with its name for people: first into the selected connection.

    What is not `allowed` is left out. Of the `latest` connections, the latest first, `MOST_OFFERED` come behind the
    servers.
    """
    targets: list[tuple[str, TargetChoice]] = []
    on_connections = On.CONNECTION in kind.targets
    if on_connections and selected is not None and selected.is_open and allowed(selected.id):
        targets.append((f"connection {selected.id} of {selected.server}, selected in view 1", selected.id))
    if On.SERVER in kind.targets:
        targets += [(f"{record.name}, whole server", record.name) for record in servers if allowed(record.name)]
    if on_connections:
        others = (one for one in latest if allowed(one.id) and (selected is None or one.id != selected.id))
        targets += [(f"connection {one.id} of {one.server}", one.id) for one in islice(others, MOST_OFFERED)]
    if On.LOOP in kind.targets:
        targets.append(("the loop", None))
    return targets


class FaultForm(Dialog[ActiveFault | None]):
    """Asks how a fault is to be injected, checks what is typed, and injects it. Answers with the fault, or None.

    Args:
        targets: where it can be injected, each with its name for people.
        inject: injects it; raises `BadFault` with what is allowed if that is not possible.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "No fault")]

    def __init__(self, kind: Kind, targets: list[tuple[str, TargetChoice]], inject: Inject) -> None:
        super().__init__()
        self._kind = kind
        self._targets = targets
        self._inject = inject

    def compose(self) -> ComposeResult:
        """Ask."""
        kind = self._kind
        with VerticalScroll(classes="dialog form") as dialog:
            dialog.border_title = f"Inject {kind.name}"
            dialog.border_subtitle = "esc leaves"
            yield Static(kind.sentence, markup=False)
            if kind.danger:
                yield Static(f"Careful: {kind.danger}.", classes="danger")
            with Horizontal(classes="row"):
                yield Label("in", classes="name")
                choices = [(Content(name), at) for at, (name, _) in enumerate(self._targets)]
                yield Select[int](choices, allow_blank=False, id="target", compact=True)
            for parameter in kind.parameters:
                yield from _row(parameter.name, parameter.shown, f"{parameter.allowed}: {parameter.sentence}")
            yield from _row("duration", "", "seconds; empty: until it is undone, or has struck")
            yield from _row("toxicity", "1", "0 (never) to 1 (always): how probably it strikes each time it could")
            yield from _row("seed", "", "a whole number; empty: one is chosen, and kept")
            yield Static(id="form-wrong", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Leave it", id="leave", compact=True)
                yield Button("Inject", id="inject", variant="error" if kind.dangerous else "primary", compact=True)

    def first(self) -> Widget:
        """Begin with what is most often changed; else where enter injects it, or, if it is dangerous, says where."""
        otherwise = "#target" if self._kind.dangerous else "#inject"
        return self.query_one(f"#field-{self._kind.parameters[0].name}" if self._kind.parameters else otherwise)

    def on_mount(self) -> None:
        """Show what it does first, also where there is no room for all of it."""
        super().on_mount()
        self.call_after_refresh(self.query_one(VerticalScroll).scroll_home, animate=False)

    @on(Button.Pressed, "#leave")
    def leave(self) -> None:
        """Inject nothing."""
        self.dismiss(None)

    @on(Input.Changed)
    def mend(self) -> None:
        """What was wrong with what was typed before says nothing of what is typed now."""
        self.query_one("#form-wrong", Static).update("")

    @on(Input.Submitted)
    def go_on(self) -> None:
        """Inject it; what is dangerous needs its button as well."""
        if self._kind.dangerous:
            self.set_focus(self.query_one("#inject"))
        else:
            self.inject()

    @on(Button.Pressed, "#inject")
    def inject(self) -> None:
        """Inject it, or say what is wrong."""
        if not self.is_active:
            return  # enter was pressed twice
        wrong = self.query_one("#form-wrong", Static)
        try:
            params: dict[str, object] = {one.name: self._typed(one.name) for one in self._kind.parameters}
            _, target = self._targets[self._chosen()]
            lasts = self._number("duration", "seconds, or empty")
            toxicity = self._number("toxicity", "0 to 1")
            seed = self._seed()
            fault = self._inject(
                self._kind.name,
                target,
                params,
                duration=lasts,
                toxicity=1.0 if toxicity is None else toxicity,
                seed=seed,
            )
        except BadFault as bad:
            wrong.update(Content(clean(str(bad))))
            self.call_after_refresh(wrong.scroll_visible, animate=False)  # it is below what a small terminal shows
            return
        self.dismiss(fault)

    def _chosen(self) -> int:
        value: Any = self.query_one("#target", Select).value
        return int(value)

    def _typed(self, name: str) -> str:
        return self.query_one(f"#field-{name}", Input).value.strip()

    def _seed(self) -> int | None:
        text = self._typed("seed")
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
            raise BadFault(f"seed = {text!r} is not possible: a whole number of up to {MOST_DIGITS} digits, or empty")
        return int(text)

    def _number(self, name: str, allowed: str) -> float | None:
        text = self._typed(name)
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise BadFault(f"{name} = {text!r} is not possible: {allowed}")
        return number


def _row(name: str, value: str, says: str) -> ComposeResult:
    with Horizontal(classes="row"):
        yield Label(name, classes="name")
        yield Input(value, id=f"field-{name}", compact=True, classes="value")
        yield Label(Content(says), classes="says")
