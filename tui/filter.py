"""What is typed after ``/``: words, ``field:value``, ``field=value``, ``"several words"`` and ``!not``.

All parts have to match. A word matches anywhere in what a row shows, without regard to case; ``field:value`` looks only
into that field (``server:sockets``), and ``field=value`` wants the whole of it (``id=1``, which is not 17); ``!`` in
front turns a part round; what stands in quotes is one part, spaces and colons too. A field is also the title of a
column, with hyphens where it has spaces (``waits-at:sock_recv``).
"""

import re
from collections.abc import Callable, Mapping, Sequence

from echotui.server.value import value

#: A field, a sign, and what to look for in it.
_NAMED = re.compile(r"([^\W\d_]+(?:-[^\W\d_]+)*)([:=])(.*)", re.DOTALL)

#: A comparison, as other programs have them: in the place of a sign, or behind one.
_COMPARED = re.compile(r"([^\W\d_]+(?:-[^\W\d_]+)*)(?:[:=](?=[<>]=?[-.]?\d))?([<>]=?)[-.\d]")

#: A part: what is in quotes goes on over spaces, to the end if they are not closed (yet).
_PART = re.compile(r'(?:"[^"]*"?|[^\s"])+')


class BadFilter(ValueError):
    """A filter that cannot be understood; the message says why, for people."""


def as_field(title: str) -> str:
    """Return how the title of a column is written as a field: ``said last`` as ``said-last``."""
    return title.lower().replace(" ", "-")


def _no_column(field: str) -> str:
    raise KeyError(field)


@value
class Filter:
    """A parsed filter. An empty one matches everything."""

    text: str
    parts: tuple[tuple[bool, str, str, bool], ...]
    """For each part: whether it is turned round, the field (empty for anywhere), the text in lower case, and whether
    that is to be the whole field."""

    def __bool__(self) -> bool:
        return bool(self.parts)

    def matches(self, row: Mapping[str, str], column: Callable[[str], str] = _no_column) -> bool:
        """Return whether a row matches: what words look into, by name, and what else it has, by `column`."""
        for negated, field, text, whole in self.parts:
            looked_into = row.values() if not field else (row[field] if field in row else column(field),)
            found = any(text == value.lower() if whole else text in value.lower() for value in looked_into)
            if found is negated:
                return False
        return True


def parse(text: str, fields: Sequence[str]) -> Filter:
    """Return the filter that was typed.

    Raises:
        BadFilter: if it names a field the rows do not have, or a part is empty.
    """
    parts = []
    for word in _PART.findall(text):
        negated = word.startswith("!")
        body = word[1:] if negated else word
        compared = _COMPARED.match(body)
        if compared is not None and compared[1] in fields:
            field, sign = compared.groups()
            raise BadFilter(f"{sign} is no operator here: use {field}:value, or {field}=value for the whole of it")
        named = _NAMED.match(body)
        field, sign, value = named.groups() if named is not None else ("", "", body)
        known = field in fields
        body, value = body.replace('"', ""), value.replace('"', "")
        if not body or (known and not value):
            raise BadFilter(f"what should {word!r} find? write something after it")
        if known:
            parts.append((negated, field, value.lower(), sign == "="))
        elif sign:
            raise BadFilter(f"there is no field {field!r} here, only {', '.join(fields)}")
        else:
            parts.append((negated, "", body.lower(), False))
    return Filter(text, tuple(parts))
