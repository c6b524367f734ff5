"""What is typed after the slash finds what one would expect, or says why it cannot."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echotui.tui.filter import BadFilter, parse

FIELDS = ("id", "server", "peer")
ROW = {"id": "17", "server": "sockets", "peer": "127.0.0.1:53211"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", True),
        ("sock", True),
        ("SOCK", True),
        ("selectors", False),
        ("server:sock 17", True),
        ("server:17", False),
        ("!selectors", True),
        ("!server:sockets", False),
        ("127.0.0.1:53211", True),
        ("sock !53211", False),
        ("id=17", True),
        ("id=1", False),
        ("!server=sock", True),
        ("peer=127.0.0.1:53211", True),
        ('"a=b"', False),
        ('"17 sockets"', False),
        ('peer:"127.0.0.1:53211"', True),
        ('"peer:127"', False),
        ('!"server:sockets"', True),
        ('"sock', True),
        ("port>5", False),
    ],
)
def test_all_parts_have_to_match(text: str, found: bool) -> None:  # noqa: FBT001 - a table of examples
    assert parse(text, FIELDS).matches(ROW) is found


@pytest.mark.parametrize("text", ["task=echo-7", "task=Echo-7", "task=ECHO-7", "task:ECHO"])
def test_capitals_make_no_difference_wherever_they_are(text: str) -> None:
    assert parse(text, ("task",)).matches({"task": "Echo-7"})


def test_a_column_is_looked_into_only_where_it_is_named() -> None:
    columns = {"said-last": "hello", "in": "64 B"}
    for text, found in (
        ("said-last:HELL in:64", True),
        ("hello", False),
        ("!in:64", False),
        ("server:sock in:6", True),
    ):
        assert parse(text, (*FIELDS, *columns)).matches(ROW, columns.__getitem__) is found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("colour=red", "there is no field 'colour' here, only id, server, peer"),
        ("id:>5", "> is no operator here: use id:value, or id=value for the whole of it"),
        ("colour:red", "there is no field 'colour' here, only id, server, peer"),
        ("!", "what should '!' find? write something after it"),
        ('server:""', "what should 'server:\"\"' find? write something after it"),
        ("id>5", "> is no operator here: use id:value, or id=value for the whole of it"),
        ("!id<=5", "<= is no operator here: use id:value"),
        ("server:", "what should 'server:' find? write something after it"),
    ],
)
def test_a_filter_that_means_nothing_says_why(text: str, why: str) -> None:
    with pytest.raises(BadFilter, match="^" + why.replace("?", r"\?")):
        parse(text, FIELDS)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_filter_or_is_refused(text: str) -> None:
    with contextlib.suppress(BadFilter):
        parse(text, FIELDS).matches(ROW)
