"""Cleaned text is safe to show: no terminal obeys it, and no line breaks out of it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from echotui.tui.text import clean, clean_bytes


@given(st.text(st.characters()))
@example("\x1b]0;owned\x07\x1b[2J[/b][@click=app.quit]x\r\n")
@example("\x9b2J\x9d0;owned\x9c")
@example("\u202egnp.exe\u2066\u200f\u061c")
@example("\ud800\u2028\u2029\ufeff\u00ad\u200b")
def test_cleaned_text_is_printable_and_stays_as_it_is_when_cleaned_again(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.isprintable()
    assert clean(cleaned) == cleaned
    cleaned.encode()  # and can be written: no surrogate is left


@given(st.binary())
@example(b"\xff\xc3\x28\xe2\x80\xae\0")
@example(b"\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf")  # a surrogate, beyond Unicode, overlong
def test_any_bytes_become_printable_text(data: bytes) -> None:
    cleaned = clean_bytes(data)
    assert cleaned.isprintable()
    assert clean(cleaned) == cleaned


@given(st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" ")))
@example("Grüße, 你好, नमस्ते, 👋")
@example("[b]not markup[/b] \\x1b")
def test_what_is_printable_stays_as_it_is_but_for_what_has_no_sure_width(text: str) -> None:
    cleaned = clean(text)
    assert [*cleaned] == [*text] or cleaned == "".join(
        one if clean(one) == one else one.encode("unicode_escape").decode() for one in text
    )
    assert clean_bytes(text.encode()) == cleaned
    assert cell_len(cleaned) == sum(map(cell_len, cleaned))  # nothing is put together to one that is wider or smaller


@pytest.mark.parametrize("text", ["Grüße, Привет, Γειά", "你好, こんにちは, 안녕", "नमस्ते, 👋 😀", "│ · … → ✓ ± Ω ½ €"])
def test_what_every_terminal_gives_the_same_room_stays(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("👍🏽", r"👍\U0001f3fd"),
        ("🇩🇪", r"\U0001f1e9\U0001f1ea"),
        ("⚠\ufe0f", r"⚠\ufe0f"),
        ("क\u093f", r"क\u093f"),
        ("\u3164\uffa0", r"\u3164\uffa0"),
        ("👩\u200d💻", r"👩\u200d💻"),
    ],
)
def test_what_has_no_sure_width_is_shown_escaped(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"\x1b[2J", r"\x1b[2J"),
        (b"\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        (b"\x9b2J", r"\x9b2J"),
        (b"\xc2\x9b2J", r"\x9b2J"),
        ("\u202e".encode(), r"\u202e"),
        (b"\0", r"\x00"),
        (b"\r\n\t\x08\x7f", r"\r\n\t\x08\x7f"),
        (b"\xff", r"\xff"),
        ("\U000e0041".encode(), r"\U000e0041"),
    ],
)
def test_what_is_not_printable_is_shown_escaped(said: bytes, shown: str) -> None:
    assert clean_bytes(said) == shown
