"""Numbers as people read them at a glance: short, with their unit, and never rounded to a lie of zero."""

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def count(number: float) -> str:
    """Return a count: ``1,204``, and from ten million on ``12.3M``."""
    if number >= 10_000_000:
        return f"{number / 1e6:,.1f}M"
    return f"{number:,.0f}"


def counted(number: int, what: str, many: str | None = None) -> str:
    """Return so many of something: ``1 boom``, ``1,204 booms``. `many` is what more are called, if not with an s."""
    return f"{number:,} {what if number == 1 else many or f'{what}s'}"


def size(number: float) -> str:
    """Return a size in bytes: ``64 B``, ``1.2 kB``, ``77 kB``, ``3.4 MB``. Units are powers of 1000."""
    if number < 1000:
        return f"{number:.0f} B"
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 10:
            return f"{number:.1f} {unit}"
        if number < 1000:
            return f"{number:.0f} {unit}"
    return f"{number / 1000:,.1f} TB"


def memory(number: float) -> str:
    """Return an amount of memory in MiB, as process monitors do: ``61M``."""
    return f"{number / 2**20:.0f}M"


def share(fraction: float) -> str:
    """Return a share as per cent: ``0.4%``, ``12%``; what is there but under 0.05 % is ``<0.1%``."""
    per_cent = fraction * 100
    if 0 < per_cent < 0.05:
        return "<0.1%"
    return f"{per_cent:.1f}%" if per_cent < 99.95 else f"{per_cent:.0f}%"


def clock(seconds: float) -> str:
    """Return a length of time as a clock shows it: ``0:03:12``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"


def ago(seconds: float) -> str:
    """Return how long something has been, in whole units: ``0 s``, ``12 s``, ``3m12``, ``2h05``."""
    if seconds < 60:
        return f"{int(seconds)} s"
    minutes, second = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{second:02}"
    return f"{minutes // 60}h{minutes % 60:02}"


def age(seconds: float) -> str:
    """Return how long something has been, as `ago` does, but in whole minutes from two on: ``119 s``, ``2m``, ``2h05``.

    For columns: thousands of old rows in which another second has passed would be drawn anew each second.
    """
    if seconds < 120:
        return f"{int(seconds)} s"
    minutes = int(seconds) // 60
    return f"{minutes}m" if minutes < 60 else ago(seconds)


def spark(values: Sequence[float], width: int) -> str:
    """Return the newest `width` values as bars from zero to the largest of them; a zero is the lowest bar."""
    newest = values[-width:] if width else []
    highest = max(newest, default=0)
    if not highest:
        return "▁" * len(newest)
    return "".join(_BARS[round(value / highest * (len(_BARS) - 1))] for value in newest)
