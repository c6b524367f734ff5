"""A long line becomes several that lose nothing and are never too wide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from echotui.tui.widgets.lines import Piece
from echotui.tui.widgets.wrapping import wrapped


def text_of(pieces: list[Piece], width: int) -> list[str]:
    return ["".join(text for text, _ in line) for line in wrapped(pieces, width)]


@pytest.mark.parametrize(
    ("pieces", "width", "lines"),
    [
        ([("said", "")], 10, ["said"]),
        ([("ended   ", "dim"), ("closed by its peer", "")], 18, ["ended   closed by", "        its peer"]),
        (
            [("at      ", "dim"), ("servers/sockets.py:48", "")],
            18,
            ["at      servers/so", "        ckets.py:4", "        8"],
        ),
        ([("127.0.0.1:1 → sockets", "accent"), ("  fd 17", "dim")], 22, ["127.0.0.1:1 → sockets", "  fd 17"]),
    ],
)
def test_a_line_goes_on_below_its_label(pieces: list[Piece], width: int, lines: list[str]) -> None:
    assert [line.rstrip() for line in text_of(pieces, width)] == lines


@given(
    st.lists(st.tuples(st.text("ab 界é", max_size=30), st.sampled_from(["", "dim"])), min_size=1, max_size=4),
    st.integers(4, 30),
)
def test_nothing_is_lost_and_nothing_is_too_wide(pieces: list[Piece], width: int) -> None:
    lines = text_of(pieces, width)
    assert all(cell_len(line.rstrip()) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join("".join(text for text, _ in pieces).split())
