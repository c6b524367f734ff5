"""What is known of a task: its state, its steps, where it waits, who made it, and whose it is."""

import asyncio
import gc
import socket
import sys
from typing import Any

import pytest
from support_observe import line_of, observed

from echotui.server.observe import timing
from echotui.server.observe.task_record import TaskRecord
from echotui.server.observe.timing import TaskState


def record_of(task: "asyncio.Task[Any]") -> TaskRecord:
    record = observed().tasks.record_of(task)
    assert record is not None
    return record


def start(coroutine: Any, name: str) -> "asyncio.Task[Any]":
    return asyncio.get_running_loop().create_task(coroutine, name=name)


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_states_of_a_task(loop: Any) -> None:
    states = []
    gate = asyncio.Event()

    async def life() -> None:
        states.append(record_of(task).state if not loop.eager else TaskState.RUNNING)
        await gate.wait()

    task = start(life(), "life")
    record = record_of(task)
    if not loop.eager:
        states.append(record.state)
    await turns()
    states.append(record.state)
    gate.set()
    states.append(record.state)
    await task
    states.append(record.state)
    created = [TaskState.CREATED] if not loop.eager else []
    assert states == [*created, TaskState.RUNNING, TaskState.WAITING, TaskState.READY, TaskState.FINISHED]
    assert record.ended
    assert record.id not in observed().tasks.live
    assert observed().tasks.get(record.id) is record


async def test_a_name_outlives_its_task_if_it_was_given_one() -> None:
    async def nothing() -> None:
        pass

    records = []
    for name in ("at birth", None):
        task = asyncio.get_running_loop().create_task(nothing(), name=name)
        records.append(record_of(task))
        assert records[-1].name == task.get_name()
        await task
        del task
    task = start(nothing(), "old")
    task.set_name("later")
    records.append(record_of(task))
    await task
    del task
    await asyncio.sleep(0)  # the step that it woke us with holds it
    gc.collect()
    assert [record.task for record in records] == [None, None, None]
    assert [record.name for record in records] == ["at birth", f"task {records[1].id}", "later"]


async def test_a_task_that_is_being_cancelled_says_so() -> None:
    done = asyncio.Event()

    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await done.wait()

    task = start(tidy(), "tidy")
    await turns()
    task.cancel()
    await turns()
    assert record_of(task).state is TaskState.CANCELLING
    done.set()
    await asyncio.wait([task])
    assert record_of(task).state is TaskState.CANCELLED


async def test_a_failed_task_tells_its_exception_and_its_line_without_retrieving_it() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("on purpose")  # fails here

    task = start(fail(), "fails")
    await turns()
    record = record_of(task)
    assert (record.state, record.error) == (TaskState.FAILED, "ValueError: on purpose")
    assert record.error_at is not None
    assert record.error_at.line == line_of(__file__, "fails here")
    assert record.unretrieved
    task.exception()
    assert not record.unretrieved


async def test_an_exception_that_cannot_say_what_it_is_breaks_nothing() -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    async def fail() -> None:
        raise Unspeakable

    task = start(fail(), "fails")
    await asyncio.wait([task])
    assert record_of(task).error == "Unspeakable: <its str() raised RuntimeError>"
    assert isinstance(task.exception(), Unspeakable)
    assert observed().disabled == {}


async def test_steps_are_counted_and_timed(loop: Any) -> None:
    async def walk() -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    task = start(walk(), "walks")
    record = record_of(task)
    observed().tasks.keep_histogram(record)
    await task
    assert record.steps == 5
    assert 0 < record.longest <= record.busy
    assert record.histogram is not None
    # An eager task has taken its first step when one gets hold of its record.
    assert record.histogram.total() == (4 if record.eager else 5)
    assert record.eager == (loop.eager and not (loop.kind == "uvloop" and sys.version_info >= (3, 13)))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_the_time_of_an_eager_task_is_its_own_and_not_its_makers(loop: Any) -> None:
    if loop.kind == "uvloop" and sys.version_info[:2] == (3, 13):
        pytest.skip("uvloop 0.23 can make no eager task there")

    async def child() -> None:
        deadline = asyncio.get_running_loop().time() + 0.02
        while asyncio.get_running_loop().time() < deadline:
            sum(range(1000))

    async def parent() -> None:
        made.append(_eagerly(child()))

    made: list[asyncio.Task[Any]] = []
    task = start(parent(), "parent")
    await task
    (eager,) = made
    assert record_of(eager).eager
    assert record_of(eager).busy >= 0.015
    assert record_of(task).busy < record_of(eager).busy
    assert record_of(eager).creator_id == record_of(task).id


def _eagerly(coroutine: Any) -> "asyncio.Task[Any]":
    here: Any = asyncio.get_running_loop()
    if sys.version_info >= (3, 14):
        return here.create_task(coroutine, eager_start=True)  # type: ignore[no-any-return]
    before = here.get_task_factory()
    here.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    try:
        return here.create_task(coroutine)  # type: ignore[no-any-return]
    finally:
        here.set_task_factory(before)


async def test_who_made_a_task_and_at_which_line() -> None:
    async def mother() -> None:
        children.append(asyncio.get_running_loop().create_task(asyncio.sleep(0), name="child"))  # makes the child
        await children[0]

    children: list[asyncio.Task[None]] = []
    task = start(mother(), "mother")
    await turns(2)
    child = record_of(children[0])
    assert child.creator_id == record_of(task).id
    assert child.made_at is not None
    assert (child.made_at.file, child.made_at.line) == (__file__, line_of(__file__, "makes the child"))
    assert [one.name for one in observed().tasks.children(record_of(task).id)] in ([], ["child"])
    await task


async def test_the_group_of_a_task() -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.sleep(0.001), name="member")  # in the group
        record = record_of(task)
        assert record.group is group
        assert record.made_at is not None
        assert record.made_at.line == line_of(__file__, "in the group")
    assert record.group is None


async def test_where_a_task_waits() -> None:
    gate, lock, queue = asyncio.Event(), asyncio.Lock(), asyncio.Queue[int]()
    here = asyncio.get_running_loop()
    await lock.acquire()
    (ours, theirs), (full, not_read) = socket.socketpair(), socket.socketpair()
    for sock in (ours, theirs, full):
        sock.setblocking(False)

    async def inner(awaitable: Any) -> None:
        await awaitable  # waits here

    async def outer(awaitable: Any) -> None:
        await inner(awaitable)

    async def generate() -> Any:
        await gate.wait()
        yield 1

    async def iterate() -> None:
        async for _ in generate():
            pass

    other = start(gate.wait(), "other")
    waits = {
        "sleep 1000 s": asyncio.sleep(1000),
        "event": gate.wait(),
        "lock": lock.acquire(),
        "an item of a queue": queue.get(),
        "task 'other'": other,
        "task 'other', shielded": asyncio.shield(other),
        "gather of 2": asyncio.gather(asyncio.sleep(1000), asyncio.sleep(1000)),
        f"socket read of fd {ours.fileno()}": here.sock_recv(ours, 1),
        f"socket write of fd {full.fileno()}": here.sock_sendall(full, b"more than fits" * 100_000),
        "a thread's or process's result": asyncio.to_thread(released.wait) if (released := _released()) else None,
    }
    tasks = {what: start(outer(awaitable), what) for what, awaitable in waits.items()}
    generating = start(iterate(), "iterates")
    reading = start(here.sock_recv(theirs, 1), "reads")
    await turns(5)
    try:
        for what, task in tasks.items():
            wait = record_of(task).wait
            assert wait is not None
            assert wait.what == what
            assert wait.at is not None
            assert (wait.at.file, wait.at.line) == (__file__, line_of(__file__, "waits here"))
            assert [place.function.rpartition(".")[2] for place in wait.chain][:2] == ["outer", "inner"]
        iterating = record_of(generating).wait
        assert iterating is not None
        assert iterating.what == "event"
        assert [place.function.rpartition(".")[2] for place in iterating.chain] == ["iterate", "generate", "wait"]
        read = record_of(reading).wait
        assert read is not None
        assert read.what == f"socket read of fd {theirs.fileno()}"
        assert read.fd == theirs.fileno()
    finally:
        released.set()  # else the loop waits for its executor for ever
    for task in (*tasks.values(), generating, reading, other):
        task.cancel()
    await asyncio.wait([*tasks.values(), generating, reading, other])
    for sock in (ours, theirs, full, not_read):
        sock.close()


def _released() -> Any:
    import threading

    return threading.Event()


async def test_whose_a_task_is() -> None:
    observation = observed()
    task = start(asyncio.sleep(0), "asyncio's own code is its maker's")
    assert record_of(task).owner == "program"
    await task
    observation.tasks.classify = lambda code: "mine" if code.co_name == "special" else "program"

    async def special() -> None:
        await start(asyncio.sleep(0), "child")

    task = start(special(), "special")
    await task
    assert record_of(task).owner == "mine"
    assert observation.tasks.busy_by_owner["mine"] >= record_of(task).busy


async def test_a_classifier_that_raises_is_reported_once_and_breaks_nothing() -> None:
    def broken(_: object) -> str:
        raise LookupError("no idea")

    observation = observed()
    observation.tasks.classify = broken

    async def nothing() -> str:
        return "done"

    task = start(nothing(), "nothing")
    assert await task == "done"
    assert record_of(task).owner == "program"
    assert observation.disabled == {"classifier": "LookupError: no idea"}


async def test_a_task_that_is_collected_before_it_ends_does_not_stay(loop: Any) -> None:
    if loop.debug:
        pytest.skip("debug mode's own warning is tested with the complaints")
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)

    async def unreachable() -> None:
        await asyncio.get_running_loop().create_future()

    start(unreachable(), "lost")
    await turns()
    gc.collect()
    observed().tasks.sweep()
    assert "lost" not in {record.name for record in observed().tasks.live.values()}
    (lost,) = [record for record in observed().tasks.ended if record.name == "lost"]
    assert lost.state is TaskState.DESTROYED


async def test_a_task_that_is_collected_in_silence_is_found_missing_once_many_others_were_made() -> None:
    async def unreachable() -> None:
        await asyncio.get_running_loop().create_future()

    task: Any = start(unreachable(), "lost")
    task._log_destroy_pending = False  # as asyncio itself has it for some
    await turns()
    del task
    gc.collect()
    tasks = observed().tasks
    assert "lost" in {record.name for record in tasks.live.values()}
    for _ in range(timing.SWEPT_EVERY):
        await start(asyncio.sleep(0), "another")
    assert "lost" not in {record.name for record in tasks.live.values()}
    assert "lost" in {record.name for record in tasks.past if record.state is TaskState.DESTROYED}


async def test_ended_tasks_stay_for_a_while_and_the_forgotten_are_counted() -> None:
    tasks = observed().tasks

    async def nothing() -> None:
        pass

    ended = tasks.ended_count
    for _ in range(timing.ENDED_KEPT + 5):
        await start(nothing(), "nothing")
    assert len(tasks.ended) == timing.ENDED_KEPT
    assert tasks.forgotten == ended + 5


async def test_the_screens_own_ended_tasks_push_out_only_each_other() -> None:
    tasks = observed().tasks
    tasks.classify = lambda code: "ui" if code.co_name == "drawing" else None if code.co_name == "wait" else "server"

    async def serving() -> None:
        pass

    async def drawing() -> None:
        # asyncio's own code, made by the screen, is the screen's.
        left.append(start(gate.wait(), "asyncio's own"))

    gate = asyncio.Event()
    left: list[asyncio.Task[Any]] = []
    await start(serving(), "served")
    for _ in range(timing.ENDED_KEPT + 5):
        await start(drawing(), "drawn")
    gate.set()
    await asyncio.wait(left)
    assert [record.name for record in tasks.ended if record.owner == "server"] == ["served"]
    assert {record.owner for record in tasks.ended_ui} == {"ui"}
    assert len(tasks.ended_ui) == timing.ENDED_KEPT
    assert tasks.forgotten == 0
    assert tasks.forgotten_ui == tasks.ended_ui_count - timing.ENDED_KEPT


async def test_a_failed_task_that_somebody_keeps_is_kept_as_long_as_it_exists_and_was_not_heard() -> None:
    tasks = observed().tasks

    async def fail() -> None:
        raise ValueError("unheard")

    async def nothing() -> None:
        pass

    kept = start(fail(), "kept")
    await asyncio.wait([kept])
    record = record_of(kept)
    for _ in range(timing.ENDED_KEPT + 5):
        await start(nothing(), "nothing")
    assert record not in tasks.ended
    assert tasks.unheard == [record]
    assert record in tasks.past
    assert tasks.get(record.id) is record
    assert tasks.forgotten == tasks.ended_count - timing.ENDED_KEPT - 1
    kept.exception()
    assert tasks.unheard == []
    assert record not in tasks.past
    del kept
    gc.collect()
    assert tasks.get(record.id) is None


async def test_a_foreign_task_factory_makes_its_own_tasks_and_they_are_counted() -> None:
    class Foreign(asyncio.Task[Any]):
        pass

    here = asyncio.get_running_loop()

    def factory(loop: Any, coroutine: Any, **kwargs: Any) -> Any:
        kwargs.pop("eager_start", None)
        return Foreign(coroutine, loop=loop, **kwargs)

    before = here.get_task_factory()
    here.set_task_factory(factory)
    assert here.get_task_factory() is factory
    task = start(asyncio.sleep(0, "result"), "foreign")
    assert type(task) is Foreign
    assert await task == "result"
    assert observed().tasks.unobserved == 1
    assert observed().tasks.record_of(task) is None
    here.set_task_factory(before)


async def test_tasks_can_be_switched_off_and_on_again() -> None:
    tasks = observed().tasks
    made = tasks.made
    tasks.on = False
    task = start(asyncio.sleep(0, "unseen"), "unseen")
    assert await task == "unseen"
    assert tasks.made == made
    tasks.on = True
    await start(asyncio.sleep(0), "seen")
    assert tasks.made == made + 1


async def test_another_method_of_a_task_that_is_scheduled_is_no_step_of_it() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    task = start(wait(), "waits")
    await turns()
    steps = record_of(task).steps
    asyncio.get_running_loop().call_soon(task.remove_done_callback, print)
    await turns()
    assert record_of(task).steps == steps
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_handle_that_has_run_cancels_nobody_elses_step() -> None:
    walked = []

    async def walk(name: str) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        walked.append(name)

    first = start(walk("first"), "first")
    handles = [asyncio.get_running_loop().call_soon(first.remove_done_callback, print) for _ in range(3)]
    await turns(1)
    others = [start(walk(str(number)), str(number)) for number in range(5)]
    for handle in handles:
        handle.cancel()
    await asyncio.wait_for(asyncio.gather(first, *others), 10)
    assert sorted(walked) == ["0", "1", "2", "3", "4", "first"]
