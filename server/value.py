"""Types of values, which nobody changes: dataclasses in a fraction of the time.

That nobody changes them is for the type checker to see. To forbid it when it runs, and to write each type comparisons
of its own, would take a millisecond of each when echotui starts; and more than all the rest of each value.
"""

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

_Kind = TypeVar("_Kind")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(kind: type[_Kind]) -> type[_Kind]:
    """Make a type of values: two are equal if they are of one type, and all their fields are."""
    made: Any = dataclass(slots=True, eq=False, repr=False)(kind)
    made.__eq__, made.__hash__, made.__repr__ = _equals, _hash, _said
    return made  # type: ignore[no-any-return]


def fields_of(value: Any) -> dict[str, Any]:
    """Return what a value is made of, by the names of its fields."""
    return {of.name: getattr(value, of.name) for of in fields(value)}


def _equals(self: object, other: object) -> bool:
    return type(other) is type(self) and fields_of(other) == fields_of(self)


def _hash(self: object) -> int:
    return hash((type(self), *fields_of(self).values()))


def _said(self: object) -> str:
    return f"{type(self).__name__}({', '.join(f'{name}={what!r}' for name, what in fields_of(self).items())})"
