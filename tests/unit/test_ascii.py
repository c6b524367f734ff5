"""What is drawn for a terminal that knows only ASCII is ASCII, and as wide as it was."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from echotui.tui.ascii import is_needed, to_ascii
from echotui.tui.text import clean


@given(st.text())
@example("╭─ Connections · 3 open ─╮│▸ ● ◐ ○ ✗ ▁▂▃▄▅▆▇█ … → – µs × ‖")
@example("你好 🔎 e\u0301 ❤\ufe0f 1\ufe0f\u20e3 👋🏽 \u0301")
def test_any_text_becomes_ascii_and_stays_as_wide(text: str) -> None:
    drawn = clean(text)
    assert to_ascii(drawn).isascii()
    assert cell_len(to_ascii(drawn)) == cell_len(drawn)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("plain \x1b[1m text", "plain \x1b[1m text"),
        ("╭─ Live ─╮", "+- Live -+"),
        ("│▸ ● serving 1,204 ▁▄█ 12 µs│", "|> * serving 1,204 _-# 12 us|"),
        ("unretrieved, socke…", "unretrieved, socke~"),
        ("Grüße, 你好", "Gr??e, ????"),
    ],
)
def test_what_is_drawn_has_a_likeness_and_all_else_a_question_mark(text: str, drawn: str) -> None:
    assert to_ascii(text) == drawn


@pytest.mark.parametrize(
    ("environment", "encoding", "needed"),
    [
        ({}, "utf-8", False),
        ({"LANG": "en_US.UTF-8"}, "utf-8", False),
        ({"LANG": "de_DE.utf8"}, "utf-8", False),
        ({"LANG": "en_US"}, "utf-8", False),
        ({"LANG": "C"}, "utf-8", True),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", True),  # which Python has set itself
        ({"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, "utf-8", False),
        ({"LC_CTYPE": "C.UTF-8"}, "utf-8", False),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, "utf-8", True),
        ({"LC_ALL": "", "LANG": "en_US.UTF-8"}, "UTF-8", False),
        ({"LANG": "de_DE.ISO-8859-15@euro"}, "iso-8859-15", True),
        ({"LC_ALL": "de_DE.ISO-8859-1", "LANG": "C.UTF-8"}, "utf-8", True),
        ({"LANG": "en_US.UTF-8"}, "ascii", True),
    ],
)
def test_it_is_needed_where_the_locale_or_python_does_not_say_utf_8(
    environment: dict[str, str],
    encoding: str,
    needed: bool,  # noqa: FBT001 - a table of examples
) -> None:
    assert is_needed(environment, encoding) is needed
