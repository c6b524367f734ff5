"""What can be set of a fault: a value with a unit, a default and limits, checked with an error that helps.

A form can be made of it, and text from a form, a command line or a file goes through the same `Parameter.check`.
"""

import math
from dataclasses import dataclass

#: How much of a value a message shows, in characters.
LONGEST_SHOWN = 80

#: What a parameter's value can be.
Value = float | int | str | bool

#: The values of a fault's parameters, by name.
Values = dict[str, Value]


def shown(value: object) -> str:
    """Return how a value is written, for a message about it; what cannot be written, or is very long, is described."""
    try:
        text = _written(value)
    except ValueError:  # more digits than Python turns into text
        return "a number of too many digits"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _written(value: object) -> str:
    """Return a value as TOML writes it: what is asked for stands in a file mostly."""
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{', '.join(map(_written, value))}]"
        case dict():
            return f"{{ {', '.join(f'{name} = {_written(one)}' for name, one in value.items())} }}"
        case _:
            return repr(value)


class BadFault(ValueError):
    """A fault that cannot be injected as asked; the message says what is allowed, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One thing that can be set of a fault. What type it has is the type of its default."""

    name: str
    sentence: str
    """What it sets, for people."""
    default: Value
    unit: str = ""
    """``ms``, ``B``, ``B/s`` …; empty for what has none."""
    low: float = 0
    high: float = math.inf
    choices: tuple[str, ...] = ()
    """What a text may be."""

    @property
    def shown(self) -> str:
        """Its default, for people."""
        return _for_people(self.default)

    def with_unit(self, value: Value) -> str:
        """Return a value of it with its unit, for people: ``100 ms``, ``yes``."""
        return f"{_for_people(value)} {self.unit}".rstrip()

    @property
    def allowed(self) -> str:
        """What is allowed, for people: ``1 to 60000 ms``, ``yes or no``, ``one of a, b``."""
        if isinstance(self.default, bool):
            return "yes or no"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        whole = "" if isinstance(self.default, float) else "a whole number, "
        unit = f" {self.unit}" if self.unit else ""
        return f"{whole}{self.low:.12g} to {self.high:.12g}{unit}"

    def check(self, value: object) -> Value:
        """Return a value as this parameter has it; text is read as a person would write it.

        Raises:
            BadFault: if it is none; the message says what is allowed.
        """
        try:
            checked = self._read(value)
        except (ValueError, TypeError, OverflowError):
            checked = None
        if checked is None:
            raise BadFault(f"{self.name} = {shown(value)} is not possible: {self.allowed}")
        return checked

    def _read(self, value: object) -> Value | None:
        if isinstance(self.default, bool):
            return _switch(value)
        if isinstance(self.default, str):
            return value if isinstance(value, str) and value in self.choices else None
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            return None
        number = float(value)
        if not self.low <= number <= self.high:  # NaN is not within any limits either
            return None
        if isinstance(self.default, float):
            return number
        return int(number) if number.is_integer() else None


def _for_people(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _switch(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}.get(str(value).lower())
