"""From the keymap to Textual: bindings of its keys, and what is said of them on the screen."""

import re
from collections.abc import Iterable

from textual.binding import ActiveBinding, Binding
from textual.widget import Widget

from .keys import BY_ID, DEFAULT_KEYS, KEYS, Keymap


def bound(name: str, action: str, label: str = "", *, priority: bool = False) -> Binding:
    """Return the binding of the keys with this id. With a label it is offered in the footer."""
    key = BY_ID[name]
    return Binding(
        textual_keys(key.keys), action, label, show=bool(label), tooltip=key.says, id=name, priority=priority
    )


def textual_keys(keys: tuple[str, ...]) -> str:
    """Return keys as Textual writes them in one string."""
    return ",".join("comma" if key == "," else key for key in keys)


def textual_keymap(keymap: Keymap) -> dict[str, str]:
    """Return what the user has changed, as Textual takes it."""
    return {name: textual_keys(keys) for name, keys in keymap.changed.items()}


def in_order(bindings: dict[str, ActiveBinding]) -> dict[str, ActiveBinding]:
    """Return bindings in the order of the keymap, those of the view before those of the app."""
    return dict(sorted(bindings.items(), key=lambda item: _ORDER.get(item[1].binding.id or "", len(_ORDER))))


def explained(keymap: Keymap, offered: Iterable[Binding]) -> list[tuple[str, str]]:
    """Return what keys do, for the help: those of these bindings, of every table, and those that are always there."""
    of_tables = [key.id for key in KEYS if key.id.startswith("table.")]
    return [
        *((keymap.shown(one.id or ""), one.tooltip) for one in offered if one.id not in of_tables),
        ("esc", "Clear the filter, close the detail, or go back"),
        ("tab", "The next pane"),
        *((keymap.shown(name), BY_ID[name].says) for name in of_tables),
        ("ctrl+p", "Every action of the view by name, and themes"),
        ("ctrl+c", "Leave at once, from everywhere: status 0, no drain"),
    ]


_ORDER = {name: at for at, name in enumerate(sorted(BY_ID, key=lambda name: name.startswith("app.")))}

_NAMED = re.compile(r"\{([a-z_.]+)\}")


def keymap_of(widget: Widget) -> Keymap:
    """Return the keys in effect in the app this widget is in."""
    keymap: Keymap = getattr(widget.app, "keymap", DEFAULT_KEYS)
    return keymap


def key_of(widget: Widget, name: str) -> str:
    """Return the key for something, in the app this widget is in, for a sentence that says to press it."""
    return keymap_of(widget).first(name)


def naming_keys(keymap: Keymap, text: str) -> str:
    """Return a text that names keys by their ids, ``{live.charts}``, with the keys themselves."""
    return _NAMED.sub(lambda named: keymap.first(named[1]), text)


def may_change(widget: Widget) -> bool:
    """Return whether the keys that change something are there, in the app this widget is in."""
    return not getattr(widget.app, "read_only", False)


def hint(widget: Widget, name: str, does: str) -> str:
    """Return the end of a sentence that says which key does something about it; nothing where it was taken away."""
    return f": {key_of(widget, name)} {does}" if may_change(widget) else ""
