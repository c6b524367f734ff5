"""From the keymap to Textual: bindings of its keys, and what is said of them on the screen."""

from textual.binding import ActiveBinding, Binding
from textual.widget import Widget

from .keys import BY_ID, DEFAULT_KEYS, Keymap


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


_ORDER = {name: at for at, name in enumerate(sorted(BY_ID, key=lambda name: name.startswith("app.")))}


def key_of(widget: Widget, name: str) -> str:
    """Return the key for something, in the app this widget is in, for a sentence that says to press it."""
    keymap = getattr(widget.app, "keymap", DEFAULT_KEYS)
    return str(keymap.first(name))
