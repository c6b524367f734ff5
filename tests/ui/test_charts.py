"""Charts: there when one asks for them, drawn when there is a new second, and not at all while nobody sees them."""

import asyncio

from support import PATIENCE, SOCKETS, STREAMS, a_lab, a_peer

from echotui.server.lab import Lab
from echotui.tui.app import EchoApp
from echotui.tui.views.charts import ChartsPane
from echotui.tui.views.loop import LoopView
from echotui.tui.widgets.chart import Chart


async def a_second(lab: Lab, seconds: int = 1) -> None:
    """Wait until the vitals were measured so many times more."""
    enough = lab.vitals.samples + seconds
    async with asyncio.timeout(PATIENCE):
        while lab.vitals.samples < enough:  # noqa: ASYNC110 - the pulse tells nobody
            await asyncio.sleep(0)


def charts(pane: ChartsPane) -> list[Chart]:
    """Return the charts of a pane."""
    return [*pane.query(Chart)]


def heights(chart: Chart) -> list[float]:
    """Return the bars of a chart, without what was not measured."""
    return [*(chart._bars.data or [])][chart._bars.unknown :]


async def test_throughput_is_that_of_all_servers_or_of_the_selected_one() -> None:
    async with a_lab(SOCKETS, STREAMS) as lab:
        app = EchoApp(lab, "a loop")
        async with app.run_test(size=(100, 30)) as pilot:
            view = app.live
            assert not view.charts.display
            await pilot.press("c")
            await pilot.pause()
            assert not view.events.display  # there is no room for both
            async with a_peer(lab, "sockets") as one, a_peer(lab, "streams") as two:
                await a_second(lab)
                for _ in range(5):
                    assert await one.echoes(b"LINE\n")
                    assert await two.echoes(b"LINE\n")
                await a_second(lab)
                view.repaint()
                reads, _ = charts(view.charts)
                both = sum(heights(reads))
                assert both > 5
                assert "all servers" in str(reads.border_title)
                view.servers.table.select("streams")
                await pilot.press("c")
                await pilot.pause()
                assert "streams" in str(reads.border_title)
                assert 0 < sum(heights(reads)) < both
                await pilot.press("c")
                await pilot.pause()
                assert view.events.display
                assert not view.charts.display


async def test_a_chart_is_drawn_once_a_second_and_not_while_it_is_hidden() -> None:
    async with a_lab(SOCKETS) as lab:
        app = EchoApp(lab, "a loop")
        async with app.run_test(size=(140, 45)) as pilot:
            view = app.live
            await a_second(lab)
            view.repaint()
            assert all(chart._drawn is None for chart in charts(view.charts))
            await pilot.press("c")
            await pilot.pause()
            view.repaint()
            drawn = [chart._drawn for chart in charts(view.charts)]
            assert None not in drawn
            view.repaint()
            assert all(chart._drawn is before for chart, before in zip(charts(view.charts), drawn, strict=True))
            await a_second(lab)
            view.repaint()
            assert all(chart._drawn is not before for chart, before in zip(charts(view.charts), drawn, strict=True))


async def test_the_loop_shows_its_longest_turns_or_says_why_it_cannot() -> None:
    async with a_lab(SOCKETS) as lab:
        app = EchoApp(lab, "a loop")
        async with app.run_test(size=(140, 45)) as pilot:
            await pilot.press("2", "c")
            view = app.view
            assert isinstance(view, LoopView)
            await a_second(lab, 3)
            view.repaint()
            turns, loads, lags = charts(view.charts)
            assert len(heights(lags)) >= 3
            if view.picture.watched is not None and view.picture.watched.why_no_ticks is None:
                assert max(heights(turns)) > 0
                assert 0 < max(heights(loads)) <= 1.01
            else:
                assert heights(turns) == []
                assert "libuv owns the selector" in turns._bars.render_line(0).text
                assert str(turns.border_title) == "Longest turn"
            await pilot.press("c")
            await pilot.pause()
            assert view.timers.display
            assert not view.charts.display
