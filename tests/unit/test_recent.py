"""What was made of late is kept, and no more than two generations of it."""

from hypothesis import given
from hypothesis import strategies as st

from echotui.tui.widgets.recent import Recent


@given(st.lists(st.integers(0, 30)), st.integers(1, 8))
def test_the_latest_used_are_there_and_never_more_than_two_generations(used: list[int], kept: int) -> None:
    recent = Recent[str](kept)
    for number in used:
        known = recent.get(number)
        assert known in {None, str(number)}
        if known is None:
            recent.put(number, str(number))
        assert len(recent) <= 2 * kept
    latest = list(dict.fromkeys(reversed(used)))[:kept]
    assert [recent.get(number) for number in latest] == [str(number) for number in latest]
