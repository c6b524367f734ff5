"""What is typed after ``/``: words, ``field:value`` and ``!not``.

All parts have to match. A word matches anywhere in a row, without regard to case; ``field:value`` looks only into
that field (``server:sockets``, ``id:17``); ``!`` in front turns a part round.
"""

from collections.abc import Mapping
from dataclasses import dataclass


class BadFilter(ValueError):
    """A filter that cannot be understood; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter. An empty one matches everything."""

    text: str
    parts: tuple[tuple[bool, str, str], ...]
    """For each part: whether it is turned round, the field (empty for anywhere), and the text in lower case."""

    def __bool__(self) -> bool:
        return bool(self.parts)

    def matches(self, row: Mapping[str, str]) -> bool:
        """Return whether a row, its fields by name, matches."""
        for negated, field, text in self.parts:
            found = text in row[field].lower() if field else any(text in value.lower() for value in row.values())
            if found is negated:
                return False
        return True


def parse(text: str, fields: tuple[str, ...]) -> Filter:
    """Return the filter that was typed.

    Raises:
        BadFilter: if it names a field the rows do not have, or a part is empty.
    """
    parts = []
    for word in text.split():
        negated = word.startswith("!")
        body = word[1:] if negated else word
        field, colon, value = body.partition(":")
        if not body or (colon and field in fields and not value):
            raise BadFilter(f"what should {word!r} find? write something after it")
        if colon and field in fields:
            parts.append((negated, field, value.lower()))
        elif colon and field.isalpha():
            raise BadFilter(f"there is no field {field!r} here, only {', '.join(fields)}")
        else:
            parts.append((negated, "", body.lower()))
    return Filter(text, tuple(parts))
