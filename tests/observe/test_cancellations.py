"""Each cancellation's life-line is right in every field: who asked, where it arrived, what became of it."""

import asyncio
import sys
from contextlib import suppress
from typing import Any, NoReturn

import pytest
from support_observe import line_of, observed, told

from echotui.server.observe.cancellations import Cancellation, Outcome
from echotui.server.observe.events import CancellationAsked, CancellationDelivered, CancellationSettled, Complained


def at(mark: str) -> str:
    """Return ``file:line`` of a line in this file."""
    return f"{__file__}:{line_of(__file__, mark)}"


def life(one: Cancellation) -> dict[str, Any]:
    """Return all that is said of a cancellation; times as what is known of their order."""
    known = [time for time in (one.asked_at, one.delivered_at, one.settled_at) if time is not None]
    assert known == sorted(known)
    assert one.ended_at in (None, one.settled_at)
    assert (one.clean_up is None) == (one.delivered_at is None or one.settled_at is None)
    return {
        "task": one.task_name,
        "reason": one.reason,
        "message": one.message,
        "by": one.asker_name,
        "asked": one.asked_from and f"{one.asked_from.file}:{one.asked_from.line}",
        "because of": one.because_of,
        "shielded": one.shielded,
        "delivered": one.delivered_in and f"{one.delivered_in.file}:{one.delivered_in.line}",
        "before its first step": one.before_first_step,
        "outcome": one.outcome,
        "error": one.error,
        "task ended": one.ended_at is not None,
    }


def expected(task: str, **others: Any) -> dict[str, Any]:
    usual = {
        "task": task,
        "reason": "cancel()",
        "message": None,
        "by": "main",
        "asked": None,
        "because of": None,
        "shielded": None,
        "delivered": None,
        "before its first step": False,
        "outcome": Outcome.OBEYED,
        "error": None,
        "task ended": True,
    }
    return usual | {key.replace("_", " "): value for key, value in others.items()}


def of(task: "asyncio.Task[Any]") -> list[dict[str, Any]]:
    """Return the life-lines of a task, oldest first."""
    return [life(one) for one in observed().tasks.record_of(task).cancellations]


def start(coroutine: Any, name: str) -> "asyncio.Task[Any]":
    here = asyncio.current_task()
    assert here is not None
    here.set_name("main")
    return asyncio.get_running_loop().create_task(coroutine, name=name)


async def forever() -> NoReturn:
    while True:
        await asyncio.get_running_loop().create_future()  # forever


async def test_a_cancellation_that_is_obeyed() -> None:
    task = start(forever(), "obedient")
    await asyncio.sleep(0)
    task.cancel("enough")  # asks obedient
    await asyncio.wait([task])
    assert of(task) == [expected("obedient", message="enough", asked=at("asks obedient"), delivered=at("forever"))]
    assert observed().cancellations.open == {}
    asked = told(CancellationAsked)[-1]
    assert (asked.reason, asked.by, asked.message) == ("cancel()", "main", "enough")
    assert asked.place == f"{at('asks obedient')} in test_a_cancellation_that_is_obeyed"
    assert told(CancellationDelivered)[-1].place == f"{at('forever')} in forever"
    assert told(CancellationSettled)[-1].outcome == "obeyed"


async def test_a_task_that_is_cancelled_before_its_first_step(loop: Any) -> None:
    if loop.eager:
        pytest.skip("an eager task has taken its first step when one gets hold of it")
    task = start(forever(), "unborn")
    task.cancel()  # asks unborn
    await asyncio.wait([task])
    defined = f"{__file__}:{forever.__code__.co_firstlineno}"
    assert of(task) == [expected("unborn", asked=at("asks unborn"), delivered=defined, before_its_first_step=True)]
    assert (
        told(CancellationDelivered)[-1].sentence == "unborn is cancelled before its first step: nothing of it ever runs"
    )


async def test_a_cancellation_that_is_swallowed_is_known_at_the_next_wait() -> None:
    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await forever()  # swallows here
        await forever()

    task = start(stubborn(), "stubborn")
    await asyncio.sleep(0)
    task.cancel()  # asks stubborn
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    swallowed = expected(
        "stubborn", asked=at("asks stubborn"), delivered=at("forever"), outcome=Outcome.SWALLOWED, task_ended=False
    )
    assert of(task) == [swallowed]
    complaint = told(Complained)[-1]
    assert (complaint.about, complaint.task) == ("cancellation swallowed", "stubborn")
    task.cancel()  # asks again
    await asyncio.wait([task])
    assert of(task) == [swallowed, expected("stubborn", asked=at("asks again"), delivered=at("forever"))]


async def test_a_task_that_returns_in_spite_of_its_cancellation_has_swallowed_it() -> None:
    async def polite() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            return "as if nothing had been"

    task = start(polite(), "polite")
    await asyncio.sleep(0)
    task.cancel()  # asks polite
    assert await task == "as if nothing had been"
    assert of(task) == [expected("polite", asked=at("asks polite"), delivered=at("forever"), outcome=Outcome.SWALLOWED)]


async def test_a_slow_clean_up_is_no_swallowing_and_its_time_is_told() -> None:
    closed = asyncio.Event()

    async def tidy() -> None:
        try:
            await forever()
        finally:
            await closed.wait()

    task = start(tidy(), "tidy")
    await asyncio.sleep(0)
    task.cancel()  # asks tidy
    for _ in range(5):
        await asyncio.sleep(0)
    going_on = expected(
        "tidy", asked=at("asks tidy"), delivered=at("forever"), outcome=Outcome.CLEANING_UP, task_ended=False
    )
    assert of(task) == [going_on]
    closed.set()
    await asyncio.wait([task])
    assert of(task) == [going_on | {"outcome": Outcome.OBEYED, "task ended": True}]
    (settled,) = observed().cancellations.settled
    assert settled.delivered_at is not None
    assert settled.settled_at is not None
    assert settled.clean_up == settled.settled_at - settled.delivered_at > 0


async def test_a_cancellation_that_is_replaced_by_another_exception() -> None:
    async def clumsy() -> None:
        try:
            await forever()
        finally:
            raise OSError("disk full")

    task = start(clumsy(), "clumsy")
    await asyncio.sleep(0)
    task.cancel()  # asks clumsy
    with pytest.raises(OSError, match="disk full"):
        await task
    assert of(task) == [
        expected(
            "clumsy",
            asked=at("asks clumsy"),
            delivered=at("forever"),
            outcome=Outcome.REPLACED,
            error="OSError: disk full",
        )
    ]


async def test_a_cancellation_of_a_task_that_ends_first_is_not_delivered() -> None:
    async def inner() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            return "inner goes on"

    async def outer() -> str:
        return str(await inner_task)

    inner_task = start(inner(), "inner")
    task = start(outer(), "outer")
    await asyncio.sleep(0)
    task.cancel()  # asks outer
    assert await task == "inner goes on"
    (first,) = observed().tasks.record_of(task).cancellations
    assert life(first) == expected("outer", asked=at("asks outer"), outcome=Outcome.NOT_DELIVERED, task_ended=False)
    assert of(inner_task) == [
        expected(
            "inner",
            reason="its awaiter",
            asked=at("asks outer"),
            because_of=first.id,
            delivered=at("forever"),
            outcome=Outcome.SWALLOWED,
        )
    ]


async def test_a_timeout_takes_back_what_it_asked() -> None:
    async def hurried() -> None:
        try:
            async with asyncio.timeout(0):
                await forever()  # under the timeout
        except TimeoutError:
            pass

    task = start(hurried(), "hurried")
    await task
    (one,) = of(task)
    # A deadline that is over already is asked for by a plain callback, before or after the first wait.
    assert one == expected(
        "hurried",
        reason="timeout",
        by=None,
        asked=at("under the timeout"),
        delivered=at("forever"),
        outcome=Outcome.UNCANCELLED,
        task_ended=False,
    )


async def test_the_outer_of_two_nested_timeouts_is_the_one_that_asked() -> None:
    async def nested() -> str:
        try:
            async with asyncio.timeout(0.01):
                try:
                    async with asyncio.timeout(60):
                        await forever()  # under both timeouts
                except TimeoutError:
                    return "inner"
        except TimeoutError:
            return "outer"
        return "neither"

    task = start(nested(), "nested")
    assert await task == "outer"
    assert of(task) == [
        expected(
            "nested",
            reason="timeout",
            by=None,
            asked=at("under both timeouts"),
            delivered=at("forever"),
            outcome=Outcome.UNCANCELLED,
            task_ended=False,
        )
    ]


async def test_two_nested_timeouts_that_are_over_at_once_each_take_their_own_back() -> None:
    async def nested() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):  # noqa: PT012 - which of the two raises is the point
            async with asyncio.timeout(60) as outer:
                async with asyncio.timeout(60) as inner:
                    inner.reschedule(loop.time() - 1)
                    outer.reschedule(loop.time() - 1)
                    await forever()  # twice over

    task = start(nested(), "twice")
    await task
    line = expected(
        "twice",
        reason="timeout",
        by=None,
        asked=at("twice over"),
        delivered=at("forever"),
        outcome=Outcome.UNCANCELLED,
        task_ended=False,
    )
    assert of(task) == [line, line]


async def test_a_cancellation_swallowed_inside_a_timeout_is_not_called_taken_back() -> None:
    async def sly() -> None:
        async with asyncio.timeout(0.01):
            with suppress(asyncio.CancelledError):
                await forever()  # sly

    task = start(sly(), "sly")
    await task
    (one,) = of(task)
    assert (one["outcome"], one["reason"], one["task ended"]) == (Outcome.SWALLOWED, "timeout", False)


async def test_wait_for_is_recognised() -> None:
    async def waiting() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(forever(), 0.01)  # waits at most

    task = start(waiting(), "waiting")
    await task
    (one,) = [life(one) for one in observed().cancellations.settled]
    assert (one["reason"], one["asked"], one["delivered"]) == ("wait_for", at("waits at most"), at("forever"))
    if sys.version_info >= (3, 12):
        # It is a timeout in the waiting task itself.
        assert (one["task"], one["outcome"]) == ("waiting", Outcome.UNCANCELLED)
    else:
        # What is waited for is a task of its own, which the waiting one cancels.
        assert (one["by"], one["outcome"]) == ("waiting", Outcome.OBEYED)


async def test_a_task_group_cancels_the_others_and_takes_back_what_it_asked_of_its_parent() -> None:
    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError("child")

    async def parent() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(failing(), name="failing")
            group.create_task(forever(), name="sibling")
            await forever()

    task = start(parent(), "parent")
    with pytest.raises(ExceptionGroup):
        await task
    lives = {one.task_name: life(one) for one in observed().cancellations.settled}
    assert lives["parent"]["outcome"] == Outcome.UNCANCELLED
    assert (lives["parent"]["reason"], lives["parent"]["delivered"]) == ("task group", at("forever"))
    assert (lives["sibling"]["reason"], lives["sibling"]["outcome"]) == ("task group", Outcome.OBEYED)
    assert lives["sibling"]["delivered"] == at("forever")
    assert lives.keys() == {"parent", "sibling"}


async def test_a_task_group_whose_parent_waits_at_its_end_already() -> None:
    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError("child")

    async def tidy() -> None:
        try:
            await forever()
        finally:
            for _ in range(3):
                await asyncio.sleep(0)

    async def parent() -> None:
        async with asyncio.TaskGroup() as group:  # the group's end
            group.create_task(failing(), name="failing")
            group.create_task(tidy(), name="sibling")

    task = start(parent(), "parent")
    with pytest.raises(ExceptionGroup):
        await task
    lives = {one.task_name: life(one) for one in observed().cancellations.settled}
    # Python 3.11 forgets to take it back here.
    taken_back = task.cancelling() == 0
    assert lives["parent"] == expected(
        "parent",
        reason="task group",
        by=None,
        asked=lives["parent"]["asked"],
        delivered=at("the group's end"),
        outcome=Outcome.UNCANCELLED if taken_back else Outcome.REPLACED,
        error=None if taken_back else "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
        task_ended=not taken_back,
    )
    assert lives["sibling"]["outcome"] == Outcome.OBEYED
    assert told(Complained) == []


async def test_gather_passes_a_cancellation_on_to_its_children() -> None:
    async def gathering() -> None:
        await asyncio.gather(children[0], children[1])  # gathers

    children = [start(forever(), "first"), start(forever(), "second")]
    task = start(gathering(), "gathering")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel("all of you")  # asks gathering
    await asyncio.wait([task])
    (outer,) = observed().tasks.record_of(task).cancellations
    assert life(outer) == expected(
        "gathering", message="all of you", asked=at("asks gathering"), delivered=at("gathers")
    )
    for child, name in zip(children, ("first", "second"), strict=True):
        assert of(child) == [
            expected(
                name,
                reason="gather",
                message="all of you",
                asked=at("asks gathering"),
                because_of=outer.id,
                delivered=at("forever"),
            )
        ]


async def test_what_is_shielded_goes_on_and_is_named() -> None:
    async def caller() -> None:
        await asyncio.shield(protected)  # shields

    async def work() -> str:
        await release.wait()
        return "done"

    release = asyncio.Event()
    protected = start(work(), "protected")
    task = start(caller(), "caller")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()  # asks caller
    await asyncio.wait([task])
    release.set()
    assert await protected == "done"
    assert of(task) == [expected("caller", asked=at("asks caller"), delivered=at("shields"), shielded="protected")]
    assert of(protected) == []


async def test_uncancel_by_hand_takes_it_back() -> None:
    async def resilient() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            asyncio.current_task().uncancel()
        await asyncio.sleep(0)

    task = start(resilient(), "resilient")
    await asyncio.sleep(0)
    task.cancel()  # asks resilient
    await task
    assert of(task) == [
        expected(
            "resilient",
            asked=at("asks resilient"),
            delivered=at("forever"),
            outcome=Outcome.UNCANCELLED,
            task_ended=False,
        )
    ]
    assert told(Complained) == []


async def test_a_task_that_ended_cannot_be_asked() -> None:
    task = start(asyncio.sleep(0), "ended")
    await task
    assert task.cancel() is False
    assert observed().cancellations.count == 0


def test_the_runner_is_named_when_it_cancels_what_is_left(loop_kind: Any) -> None:
    from echotui.server import new_event_loop

    async def main() -> None:
        asyncio.get_running_loop().stray = start(forever(), "stray")  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=lambda: new_event_loop(loop_kind)) as runner:
        runner.run(main())
        observation = runner.get_loop().observation  # type: ignore[attr-defined]
    (one,) = observation.cancellations.settled
    assert (one.task_name, one.reason, one.outcome) == ("stray", "runner", Outcome.OBEYED)


async def test_only_the_latest_are_kept_and_the_others_are_counted() -> None:
    from echotui.server.observe.cancellations import KEPT, KEPT_BY_TASK

    cancellations = observed().cancellations
    for number in range(KEPT + 10):
        task = start(forever(), f"{number}")
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert len(cancellations.settled) == KEPT
    assert cancellations.forgotten == 10

    async def unmoved() -> None:
        for _ in range(KEPT_BY_TASK + 5):
            with suppress(asyncio.CancelledError):
                await forever()

    task = start(unmoved(), "unmoved")
    while not task.done():
        await asyncio.sleep(0)
        task.cancel()
    assert len(of(task)) == KEPT_BY_TASK


async def test_who_is_asked_more_often_than_life_lines_are_kept_is_counted_to_be_asked_again() -> None:
    from echotui.server.observe.cancellations import KEPT_BY_TASK

    task = start(forever(), "asked again and again")
    await asyncio.sleep(0)
    for _ in range(KEPT_BY_TASK + 3):
        task.cancel()  # in the same turn, so that none of them is settled
    await asyncio.wait([task])
    record = observed().tasks.record_of(task)
    assert record is not None
    assert [one.again for one in record.cancellations] == [0] * (KEPT_BY_TASK - 1) + [3]
    assert {one.outcome for one in record.cancellations} == {Outcome.OBEYED}
