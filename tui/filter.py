"""What is typed after ``/``: words, ``field:value``, ``field=value`` and ``!not``.

All parts have to match. A word matches anywhere in a row, without regard to case; ``field:value`` looks only into
that field (``server:sockets``), and ``field=value`` wants the whole of it (``id=1``, which is not 17); ``!`` in front
turns a part round.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: A field, a sign, and what to look for in it.
_NAMED = re.compile(r"([^\W\d_]+)([:=])(.*)", re.DOTALL)


class BadFilter(ValueError):
    """A filter that cannot be understood; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter. An empty one matches everything."""

    text: str
    parts: tuple[tuple[bool, str, str, bool], ...]
    """For each part: whether it is turned round, the field (empty for anywhere), the text in lower case, and whether
    that is to be the whole field."""

    def __bool__(self) -> bool:
        return bool(self.parts)

    def matches(self, row: Mapping[str, str]) -> bool:
        """Return whether a row, its fields by name, matches."""
        for negated, field, text, whole in self.parts:
            if whole:
                found = text == row[field].lower()
            else:
                found = any(text in value.lower() for value in ([row[field]] if field else row.values()))
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
        named = _NAMED.match(body)
        field, sign, value = named.groups() if named is not None else ("", "", body)
        known = field in fields
        if not body or (known and not value):
            raise BadFilter(f"what should {word!r} find? write something after it")
        if known:
            parts.append((negated, field, value.lower(), sign == "="))
        elif sign == ":":
            raise BadFilter(f"there is no field {field!r} here, only {', '.join(fields)}")
        else:
            parts.append((negated, "", body.lower(), False))
    return Filter(text, tuple(parts))
