"""Every event has a name, a sentence, and goes into JSON."""

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echotui.server import events
from echotui.server.observe import events as observe_events

EVERY_KIND = [
    kind
    for kind in (vars(events) | vars(observe_events)).values()
    if isinstance(kind, type) and issubclass(kind, events.Event) and kind is not events.Event
]
EXAMPLES: dict[str, Any] = {"int": 3, "float": 0.25, "str": "said", "bytes": b"said\xff", "bool": True}


def example(kind: type[events.Event]) -> events.Event:
    values = {}
    for field in fields(kind):
        annotation = field.type.__name__ if isinstance(field.type, type) else str(field.type)
        values[field.name] = EXAMPLES[annotation.split(" |")[0]]
    return kind(**values)


@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda kind: kind.__name__)
def test_every_event_has_a_sentence_and_goes_into_json(kind: type[events.Event]) -> None:
    event = example(kind)
    assert event.sentence
    assert "\n" not in event.sentence
    row = json.loads(json.dumps(event.as_dict()))
    assert row["kind"] == kind.kind
    assert {name for name in row if name != "kind"} == {field.name for field in fields(event)}


def test_no_two_kinds_have_the_same_name() -> None:
    names = [kind.kind for kind in EVERY_KIND]
    assert sorted(names) == sorted(set(names))


def test_what_is_not_set_is_left_out() -> None:
    ended = observe_events.StallBegan(1, 0.5, place=None, task=None)
    assert ended.as_dict() == {"kind": "stall_began", "stall": 1, "lasted": 0.5}


@given(st.binary())
def test_any_bytes_become_text_that_json_takes(data: bytes) -> None:
    assert json.loads(json.dumps(events.as_text(data))) == events.as_text(data)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0, "0 µs"), (0.0000124, "12 µs"), (0.00099949, "999 µs"), (0.0009995, "1.0 ms")),
        *((0.0034, "3.4 ms"), (0.99949, "999.5 ms"), (0.9995, "1.0 s"), (61.04, "61.0 s")),
    ],
)
def test_a_duration_has_the_unit_people_would_use(seconds: float, said: str) -> None:
    assert events.duration(seconds) == said
