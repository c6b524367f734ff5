"""The keymap: every key that can be given another, by the id of what it does. It imports no Textual.

A key is written as it is typed, ``b`` or ``?``, or by its name: ``space``, ``f5``, ``ctrl+d``. What an id begins with
says where it works: keys of the ``app``, of every ``view`` and every ``table`` work everywhere, the others in the view
of that name only. Two of them may share a key where they never meet.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from echotui.server.value import value

from .text import meant, quoted

#: How long may be what a key does, in characters.
LONGEST = 53


class BadKey(ValueError):
    """A key, or a keymap, that is not possible. Its message says why, and what is."""


@value
class Key:
    """What keys there are for one thing, unless the user says otherwise, and what it is."""

    id: str
    keys: tuple[str, ...]
    says: str
    """What it does, in at most `LONGEST` characters, which fit into one line of the help."""
    changes: bool = False
    """Whether it changes something: `--read-only` takes it away."""
    home: str = ""
    """The view in which it does something, where its id does not say so; "" if that is every one."""

    @property
    def action(self) -> str:
        """What it does, in a word: its id without where it works. The actions that change something have this name."""
        return self.id.partition(".")[2]

    @property
    def scope(self) -> str:
        """Where it works: everywhere, or the view that its id begins with."""
        scope = self.id.partition(".")[0]
        return EVERYWHERE if scope in ("app", "view", "table") else scope

    @property
    def works_in(self) -> str:
        """The view in which it does something; `EVERYWHERE` if that is all of them."""
        return self.home or self.scope


EVERYWHERE = "everywhere"

#: All of them, in the order in which the help has them.
KEYS = (
    Key("app.live", ("1",), "Look at view 1, Live"),
    Key("app.loop", ("2",), "Look at view 2, Loop"),
    Key("app.tasks", ("3",), "Look at view 3, Tasks"),
    Key("app.faults", ("4", "f"), "Look at view 4, Faults"),
    Key("app.shutdown", ("5",), "Look at view 5, Shutdown"),
    Key("app.problems", ("6",), "Look at view 6, Problems"),
    Key("app.help", ("?", "f1"), "The keys, and what the numbers mean"),
    Key("app.quit", ("q", "f10"), "Leave; what is still open is ended"),
    Key("app.boom", ("b",), "Let the selected connection's handler raise", changes=True, home="live"),
    Key("app.interrupt", ("x",), "Cancel the selected connection's task, or close it", changes=True, home="live"),
    Key("app.chat", ("C",), "Let a built-in client chat with the selected server", changes=True, home="live"),
    Key("app.start_or_stop", ("t",), "Start the selected server, or stop it at once", changes=True, home="live"),
    Key("app.treat", ("e",), "Switch what becomes of a failing task of sockets", changes=True, home="live"),
    Key("app.pause", ("space",), "Freeze the view, or let it go on; collecting goes on"),
    Key("app.restart", ("r",), "Start again what a signal stopped, or what failed", changes=True),
    Key("app.copy", ("y",), "Copy the row, or the detail, that has the keys"),
    Key("app.save", ("ctrl+s",), "Save what is on the screen: text, a picture"),
    Key("app.suspend", ("ctrl+z",), "Suspend it, servers and all; fg goes on"),
    Key("app.send_signal", ("s",), "Send a signal to this very process; it asks which", changes=True),
    Key("view.filter", ("/",), "Show only what matches: words, field:value, !not"),
    Key("view.next_match", ("n",), "The next row that matches the filter"),
    Key("view.previous_match", ("N",), "The row before that matches the filter"),
    Key("view.next_pane", ("l", "right"), "The next pane"),
    Key("view.previous_pane", ("h", "left"), "The pane before"),
    Key("view.sort", ("o",), "Sort by the next column"),
    Key("view.reverse", ("O",), "Sort the other way round"),
    Key("view.return", ("backspace",), "Go back along the links that were followed"),
    Key("live.charts", ("c",), "Charts of all servers, of the selected one, or none"),
    Key("loop.charts", ("c",), "Charts of the loop, or none"),
    Key("faults.undo", ("z",), "Undo the selected fault", changes=True),
    Key("faults.undo_all", ("Z",), "Undo all faults", changes=True),
    Key("tasks.ui", ("u",), "Show Textual's own tasks, or hide them"),
    Key("problems.ui", ("u",), "Show what the screen itself does, or hide it"),
    Key("table.up", ("up", "k"), "The row above"),
    Key("table.down", ("down", "j"), "The row below"),
    Key("table.page_up", ("pageup",), "A page up"),
    Key("table.page_down", ("pagedown",), "A page down"),
    Key("table.first", ("g", "home"), "The first row"),
    Key("table.last", ("G", "end"), "The last row"),
    Key("table.choose", ("enter",), "Go to what the row is about, or show its detail"),
)

BY_ID: Mapping[str, Key] = MappingProxyType({key.id: key for key in KEYS})

#: The actions that change something.
CHANGING = frozenset(key.action for key in KEYS if key.changes)

#: The keys that always do the same, so that one finds back from everywhere, and what that is.
FIXED: Mapping[str, str] = MappingProxyType(
    {
        "escape": "goes back",
        "tab": "goes to the next pane",
        "shift+tab": "goes to the pane before",
        "ctrl+c": "leaves",
        "ctrl+q": "leaves",
        "ctrl+p": "opens the palette",
    }
)

#: The keys that move and choose in every question, and in the help: only what does the same in a table may have them.
MOVING = frozenset({"up", "down", "home", "end", "pageup", "pagedown", "enter"})

_NAMES = frozenset(
    {
        *("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete", "backspace"),
        *("space", "enter", "tab", "escape"),
        *(f"f{number}" for number in range(1, 25)),
    }
)

#: What a terminal sends for another key as well, so that nobody can tell them apart.
_SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+h": "backspace", "ctrl+shift+i": "tab", "ctrl+shift+m": "enter"}


def as_key(text: str) -> str:
    """Return a key as it is compared: a character, or a name with its modifiers in alphabetical order.

    Raises:
        BadKey: if it is no key.
    """
    if len(text) == 1 and text.isprintable() and text != " ":
        return text
    *modifiers, name = text.lower().split("+")
    known = name in _NAMES or (bool(modifiers) and len(name) == 1 and name.isascii() and name.isalnum())
    if not known or not set(modifiers) <= {"alt", "ctrl", "shift"} or len(set(modifiers)) != len(modifiers):
        hint = meant(text.lower(), _NAMES, 'write a character, or a name such as "space", "f5", "ctrl+d"')
        raise BadKey(f"{quoted(text)} is no key: {hint}")
    if modifiers == ["shift"] and name not in _NAMES:
        raise BadKey(f'{text!r} is no key of its own: write "{name.upper()}"')
    key = "+".join([*sorted(modifiers), name])
    if key in _SAME:
        raise BadKey(f"{text!r} is the same as {_SAME[key]!r} to a terminal: write that")
    return key


class Keymap(Mapping[str, tuple[str, ...]]):
    """The keys in effect, by the id of what they do.

    Args:
        changed: what the user has changed, by id: the new keys, which stand in the place of all its old ones.

    Raises:
        BadKey: if there is no such id, something is no key, always does something else, or would do two things at once.
    """

    def __init__(self, changed: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.changed = {name: _checked(name, keys) for name, keys in (changed or {}).items()}
        """What differs from the defaults, or could."""
        self._keys = {key.id: self.changed.get(key.id, key.keys) for key in KEYS}
        self._refuse_shared()

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._keys[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def shown(self, name: str) -> str:
        """Return the keys for one thing, for people: ``up k``."""
        return " ".join(self._keys[name])

    def first(self, name: str) -> str:
        """Return the first key for one thing, where there is room for one only."""
        return self._keys[name][0]

    def meanings(self, key: str) -> list[Key]:
        """Return all that a key does, in one view or another."""
        return [one for one in KEYS if key in self._keys[one.id]]

    def _refuse_shared(self) -> None:
        for number, one in enumerate(KEYS):
            for other in KEYS[number + 1 :]:
                if EVERYWHERE not in (one.scope, other.scope) and one.scope != other.scope:
                    continue
                for key in self._keys[one.id]:
                    if key in self._keys[other.id]:
                        raise BadKey(f"{key!r} is the key of {one.id} and of {other.id}: give one of them another")


def _checked(name: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    if name not in BY_ID:
        hint = meant(name, BY_ID, "`echotui config template` has them all")
        raise BadKey(f"there is no {quoted(name)} to give a key to: {hint}")
    try:
        checked = tuple(dict.fromkeys(map(as_key, keys)))
    except BadKey as bad:
        raise BadKey(f"{name}: {bad}") from None
    if not checked:
        raise BadKey(f"{name} needs a key")
    for key in checked:
        if key in FIXED:
            raise BadKey(f"{name}: {key!r} always {FIXED[key]}: choose another key")
        if key in MOVING and not name.startswith("table."):
            raise BadKey(f"{name}: {key!r} moves and chooses, in questions too: only table.… can have it")
    return checked


#: The keys as they are without a word from the user.
DEFAULT_KEYS = Keymap()
