"""An observed task tells whoever asks exactly what a bare one tells: each program runs on both, and they must agree."""

import _thread
import asyncio
import contextvars
import gc
import inspect
import re
import subprocess
import sys
import traceback
import weakref
from collections.abc import Callable, Coroutine
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from support import EVERY_LOOP, PATIENCE, Loop
from support_observe import observed

from echotui.server.loops import LoopKind

each_loop = pytest.mark.parametrize("loop", EVERY_LOOP, ids=str)

Program = Callable[[], Coroutine[Any, Any, Any]]


def on_bare_and_observed(loop: Loop, program: Program) -> tuple[Any, Any]:
    """Return what a program says on the bare loop and on the observed one, addresses aside."""

    def bare() -> asyncio.AbstractEventLoop:
        made = _bare_loop(loop.kind)
        if loop.eager:
            made.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
        return made

    if loop.eager and sys.version_info[:2] == (3, 13):
        pytest.skip("CPython 3.13 names every eager task 'None', and uvloop 0.23 can make none there")
    said = []
    for make in (bare, loop.make):
        with asyncio.Runner(loop_factory=make, debug=loop.debug) as runner:
            said.append(_without_addresses(runner.run(program())))
    if loop.eager and loop.kind == "uvloop":
        # There the bare loop names a line of asyncio's own factory where the observed one names the program's.
        said = [re.sub(r" created at [^ >]*", "", one) for one in said]
    return said[0], said[1]


def _bare_loop(kind: LoopKind) -> asyncio.AbstractEventLoop:
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.SelectorEventLoop()


def _without_addresses(said: Any) -> Any:
    """Leave out what cannot be the same: addresses, and in debug mode which line of the *loop* made something."""
    said = re.sub(r"0x[0-9a-f]+", "0x…", repr(said))
    return re.sub(r" created at [^ ]*/(asyncio|server/observe)/[^ ]*?:\d+", "", said)


async def wait(release: asyncio.Event) -> str:
    await asyncio.sleep(0)
    await release.wait()
    return "released"


async def fail() -> None:
    await asyncio.sleep(0)
    raise ValueError("on purpose")


@each_loop
def test_repr_in_every_state(loop: Loop) -> None:
    async def program() -> list[str]:
        here = asyncio.get_running_loop()
        release = asyncio.Event()
        tasks = [
            here.create_task(wait(release), name="waits"),
            here.create_task(fail(), name="fails"),
            here.create_task(wait(release), name="is cancelled"),
        ]
        said = [repr(task) for task in tasks]
        await asyncio.sleep(0)
        said += [repr(task) for task in tasks]
        tasks[2].cancel()
        said += [repr(task) for task in tasks]
        release.set()
        await asyncio.wait(tasks)
        said += [repr(task) for task in tasks]
        tasks[1].exception()
        return said

    bare, observed = on_bare_and_observed(loop, program)
    assert observed == bare
    assert "name='waits'" in bare


@each_loop
def test_repr_of_handles_and_futures(loop: Loop) -> None:
    if loop.kind == "uvloop":
        pytest.skip("its handles are of its own make")

    async def program() -> list[str]:
        here = asyncio.get_running_loop()
        soon, later = here.call_soon(print), here.call_later(1000.0, print, "argument")
        said = [repr(soon), re.sub(r"when=[\d.]+", "when", repr(later))]
        soon.cancel()
        later.cancel()
        said += [repr(soon), re.sub(r"when=[\d.]+", "when", repr(later))]
        task = here.create_task(wait(asyncio.Event()), name="task")
        said += [repr(handle) for handle in here._ready]  # type: ignore[attr-defined]
        task.cancel()
        return said

    bare, observed = on_bare_and_observed(loop, program)
    assert observed == bare


@each_loop
def test_coroutine_stack_and_all_tasks(loop: Loop) -> None:
    async def program() -> list[Any]:
        here = asyncio.get_running_loop()
        release = asyncio.Event()
        coroutine = wait(release)
        task = here.create_task(coroutine, name="waits")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        printed = StringIO()
        task.print_stack(file=printed)
        said: list[Any] = [
            task.get_coro() is coroutine,
            inspect.getcoroutinestate(coroutine),
            [(frame.f_code.co_qualname, frame.f_lineno) for frame in task.get_stack()],
            printed.getvalue(),
            sorted(task.get_name() for task in asyncio.all_tasks() if not task.get_name().startswith("Task-")),
            isinstance(task, asyncio.Task),
            asyncio.isfuture(task),
            type(task).__name__,
        ]
        release.set()
        said.append(await task)
        failing = here.create_task(fail(), name="fails")
        await asyncio.wait([failing])
        printed = StringIO()
        failing.print_stack(file=printed)
        said.append(printed.getvalue())
        failing.exception()
        return said

    bare, observed = on_bare_and_observed(loop, program)
    assert observed == bare
    assert bare.startswith("[True, 'CORO_SUSPENDED'")


@each_loop
def test_context_variables(loop: Loop) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def read_and_set(value: str) -> str:
        before = variable.get()
        variable.set(value)
        await asyncio.sleep(0)
        return f"{before} {variable.get()}"

    async def program() -> list[str]:
        here = asyncio.get_running_loop()
        variable.set("outer")
        context = contextvars.copy_context()
        own = await here.create_task(read_and_set("own"))
        given = await here.create_task(read_and_set("given"), context=context)
        seen: list[str] = []
        done = asyncio.Event()
        here.call_soon(lambda: seen.append(variable.get()), context=context)
        here.call_later(0.001, lambda: seen.append(variable.get()), context=context)
        here.call_later(0.002, done.set, context=context)
        await done.wait()
        return [own, given, variable.get(), context[variable], *seen]

    bare, observed = on_bare_and_observed(loop, program)
    assert observed == bare


@each_loop
def test_tracebacks(loop: Loop) -> None:
    async def program() -> list[str]:
        said = []
        try:
            await asyncio.get_running_loop().create_task(fail(), name="fails")
        except ValueError as error:
            said += traceback.format_exception(error)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail(), name="fails")
        except ExceptionGroup as error:
            said += traceback.format_exception(error)
        try:
            async with asyncio.timeout(0.001):
                await asyncio.get_running_loop().create_future()
        except TimeoutError as error:
            said += traceback.format_exception(error)
        return said

    bare, observed = on_bare_and_observed(loop, program)
    assert observed == bare
    assert "on purpose" in bare


@each_loop
def test_what_the_exception_handler_is_told(loop: Loop) -> None:
    async def program() -> list[str]:
        here = asyncio.get_running_loop()
        contexts: list[dict[str, Any]] = []
        here.set_exception_handler(lambda _, context: contexts.append(context))
        here.create_task(fail(), name="fails")  # noqa: RUF006 - to be lost is its part
        here.call_soon(_raise)
        here.call_later(0, _raise)
        for _ in range(5):
            await asyncio.sleep(0.001)
        return sorted(f"{context['message']} {context.get('exception')!r}" for context in contexts)

    bare, observed = on_bare_and_observed(loop, program)
    if loop.kind == "uvloop":
        # Its timers are handles of asyncio's own make when they are observed, and say a callback's name their way.
        bare, observed = (re.sub(r"callback .*? ValueError", "callback ValueError", said) for said in (bare, observed))
    assert observed == bare
    assert bare.count("ValueError") == 3


def _raise() -> None:
    raise ValueError("in a callback")


@each_loop
@pytest.mark.skipif(sys.version_info < (3, 14), reason="call graphs came with Python 3.14")
def test_call_graphs(loop: Loop) -> None:
    async def program() -> list[str]:
        said: list[str] = []
        release = asyncio.Event()

        async def leaf() -> None:
            said.append(asyncio.format_call_graph())  # type: ignore[attr-defined, unused-ignore]
            await release.wait()

        async def root() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(leaf(), name="leaf")
                group.create_task(wait(release), name="other")

        here = asyncio.get_running_loop()
        task = here.create_task(root(), name="root")
        for _ in range(4):
            await asyncio.sleep(0)
        for one in sorted(asyncio.all_tasks() - {asyncio.current_task()}, key=lambda one: one.get_name()):
            said.append(asyncio.format_call_graph(one))  # type: ignore[attr-defined, unused-ignore]
            graph = asyncio.capture_call_graph(one)  # type: ignore[attr-defined, unused-ignore]
            said.append(str([(entry.frame.f_code.co_qualname, entry.frame.f_lineno) for entry in graph.call_stack]))
        release.set()
        await task
        # What runs a step is the loop's: below the task's own frames it may look different.
        return [
            line
            for text in said
            for line in text.splitlines()
            if "/asyncio/" not in line and "server/observe/" not in line
        ]

    bare, observed = on_bare_and_observed(loop, program)
    # A task's default name has a number of its own.
    bare, observed = (re.sub(r"Task-\d+", "Task-…", said) for said in (bare, observed))
    assert observed == bare
    assert "leaf()" in bare


PROGRAM = Path(__file__).parent / "a_program_to_look_into.py"


@pytest.mark.skipif(sys.version_info < (3, 14), reason="python -m asyncio pstree came with Python 3.14")
@pytest.mark.parametrize("command", ["ps", "pstree"])
def test_python_m_asyncio_looks_into_an_observed_process(loop_kind: LoopKind, command: str) -> None:
    bare, observed = (_look_into(loop_kind, how, command) for how in ("bare", "observed"))
    assert observed == bare
    assert "deep" in bare


def _look_into(kind: LoopKind, how: str, command: str) -> str:
    with subprocess.Popen(
        [sys.executable, PROGRAM, kind, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        try:
            look = subprocess.run(
                [sys.executable, "-m", "asyncio", command, str(program.pid)],
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            program.kill()
    if look.returncode:
        pytest.skip(f"this machine does not let one process look into another: {look.stderr}")
    # Neither thread nor address is the same in two processes.
    return re.sub(r"0x[0-9a-f]+\s*|\b\d{3,}\b\s*", "", look.stdout)


async def test_a_failed_task_that_is_cancelled_counts_as_retrieved() -> None:
    heard: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["message"]))

    async def fail() -> None:
        raise ValueError

    tasks = [asyncio.get_running_loop().create_task(fail())]
    await asyncio.wait(tasks)
    record = observed().tasks.record_of(tasks[0])
    assert record is not None
    assert record.unretrieved
    assert not tasks[0].cancel()
    assert not record.unretrieved
    tasks.clear()
    gc.collect()
    assert heard == []
    assert not record.cancellations


@each_loop
def test_debug_mode_that_is_switched_on_while_a_step_waits_for_its_turn(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    async def slow() -> None:
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_exception_handler({"message": "something is wrong"})

    async def program() -> list[str]:
        here = asyncio.get_running_loop()
        task = here.create_task(slow(), name="slow")
        await asyncio.sleep(0)
        caplog.clear()
        here.slow_callback_duration = 0.0
        here.set_debug(True)
        await task
        lines = [re.sub(r"took [\d.]+ seconds|:\d+", "", message.splitlines()[0]) for message in caplog.messages]
        return [line for line in lines if "slow" in line or "wrong" in line]

    if loop.debug or loop.eager or loop.kind == "uvloop":
        pytest.skip("it is on already, or over already, or says of a handle of its own make what that is called")
    bare, observed = on_bare_and_observed(loop, program)
    assert observed == bare
    assert "something is wrong" in bare


@each_loop
def test_in_debug_mode_a_task_was_created_where_the_program_created_it(loop: Loop) -> None:
    async def nothing() -> None:
        pass

    async def program() -> list[str]:
        here = asyncio.get_running_loop()
        here.set_debug(True)
        tasks: list[Any] = [here.create_task(nothing()), asyncio.create_task(nothing())]  # noqa: TID251 - it is asked of
        said = [task._source_traceback and Path(task._source_traceback[-1].filename).name for task in tasks]
        await asyncio.wait(tasks)
        return said

    if loop.eager:
        pytest.skip("there it is asyncio's own factory that is named")
    bare, observed = on_bare_and_observed(loop, program)
    assert observed == bare
    assert "test_transparency.py" in bare


@each_loop
def test_what_is_let_go_of_while_the_loop_closes_finds_it_closed(loop: Loop) -> None:
    said: list[str] = []

    async def lingering() -> None:
        here = asyncio.get_running_loop()
        try:
            await here.create_future()
        finally:
            with pytest.raises(RuntimeError, match="closed") as refused:
                here.call_soon(print)
            said.append(str(refused.value))

    async def program() -> None:
        left = lingering()
        left.send(None)
        asyncio.get_running_loop().call_later(1000, lambda _: None, left)

    for here in (_bare_loop(loop.kind), loop.make()):
        here.run_until_complete(program())
        here.close()
        del here
        gc.collect()
    assert len(said) == 2
    assert said[:1] == said[1:]


class Own:
    """An awaitable of the program's own, which keeps the handles of what it has scheduled."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._callbacks: list[tuple[Any, Any]] = []
        self.is_done = False
        self.handles: list[asyncio.Handle] = []

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(self, call: Any, *, context: Any = None) -> None:
        self._callbacks.append((call, context))

    def done(self) -> bool:
        return self.is_done

    def result(self) -> str:
        return "result"

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - what a task calls it with
        return False

    def __await__(self) -> Any:
        if not self.is_done:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def finish(self) -> None:
        self.is_done = True
        self.handles = [self._loop.call_soon(call, self, context=context) for call, context in self._callbacks]


@each_loop
def test_a_program_may_keep_the_handle_of_a_step_and_cancel_it(loop: Loop) -> None:
    async def wait_for(own: Any) -> str:
        return str(await own)

    async def program() -> list[object]:
        here = asyncio.get_running_loop()
        own, other = Own(here), Own(here)
        tasks = [here.create_task(wait_for(one), name="waits") for one in (own, other)]
        await asyncio.sleep(0)
        own.finish()
        other.finish()
        (handle,) = own.handles
        said: list[object] = [isinstance(handle, asyncio.Handle), handle.cancelled()]
        handle.cancel()
        said += [handle.cancelled(), "cancelled" in repr(handle), type(weakref.ref(handle)).__name__]
        await asyncio.wait([tasks[1]], timeout=PATIENCE)
        said += [task.done() for task in tasks]
        said.append(other.handles[0].cancelled())
        own.finish()
        said.append(await tasks[0])
        return said

    if loop.kind == "uvloop":
        pytest.skip("its handles are of its own make")
    bare, observed = on_bare_and_observed(loop, program)
    assert observed == bare


@each_loop
def test_call_soon_takes_what_it_takes_on_a_bare_loop(loop: Loop) -> None:
    async def program() -> list[object]:
        here: Any = asyncio.get_running_loop()
        said: list[object] = [list(inspect.signature(here.call_soon).parameters), here.call_soon.__name__]
        over = here.create_future()
        here.set_exception_handler(lambda _, told: said.append(told["message"]))

        def call(*args: object) -> None:
            said.append((args, variable.get("outside")))

        inside = contextvars.copy_context()
        inside.run(variable.set, "inside")
        for count in (0, 1, 2, 7, 8, 50):
            here.call_soon(call, *range(count))
            here.call_soon(call, *range(count), context=inside)
        done: Any = here.create_task(asyncio.sleep(0))
        await done
        for method, argument in ((done.remove_done_callback, None), (done.remove_done_callback, 1)):
            here.call_soon(method, argument)  # which only looks like a step
        here.call_soon(callback=call)
        here.call_soon(context=inside, callback=call)
        for given, named in (
            ((), {}),
            ((), {"context": inside}),
            ((call,), {"callback": call}),
            ((call, 1), {"contexts": inside}),
            ((call, 1), {"context": inside, "contexts": inside}),
        ):
            try:
                here.call_soon(*given, **named)
            except TypeError:
                said.append("refused")
        here.call_soon(over.set_result, None)
        await over
        return said

    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    bare, observed = on_bare_and_observed(loop, program)
    assert observed == bare
    assert observed.count("refused") == 5
    assert "49" in observed


@pytest.mark.parametrize("loop", [loop for loop in EVERY_LOOP if loop.kind == "uvloop"], ids=str)
def test_a_uvloop_loop_has_nothing_in_a_dictionary_where_its_methods_would_be_looked_for_first(loop: Loop) -> None:
    async def program() -> list[str]:
        await asyncio.sleep(0)
        return list(vars(asyncio.get_running_loop()))

    bare, observed = on_bare_and_observed(loop, program)
    assert observed == bare


@each_loop
def test_a_thread_that_runs_nothing_in_python_may_call(loop: Loop) -> None:
    if loop.debug:
        pytest.skip("asyncio itself raises")

    async def program() -> str:
        here = asyncio.get_running_loop()
        called = here.create_future()
        _thread.start_new_thread(here.call_soon, (called.set_result, "called"))
        turning = here.create_task(turn(), name="turns")  # who calls from another thread does not wake the loop
        try:
            return await asyncio.wait_for(called, PATIENCE)
        finally:
            turning.cancel()

    async def turn() -> None:
        while True:  # noqa: ASYNC110 - nothing tells that it was called but this
            await asyncio.sleep(0)

    bare, observed = on_bare_and_observed(loop, program)
    assert observed == bare


@each_loop
def test_a_step_that_cannot_run_is_told_as_it_is_on_a_bare_loop(loop: Loop) -> None:
    async def wait_for(release: "asyncio.Future[None]") -> None:
        await release

    def program_on(here: Any) -> list[str]:
        told: list[str] = []
        here.set_exception_handler(lambda _, context: told.append(context["message"]))
        release = here.create_future()
        task = here.create_task(wait_for(release), name="waits")
        here.run_until_complete(asyncio.sleep(0))
        other: Any = object()
        here.call_soon(asyncio.tasks._enter_task, here, other)
        release.set_result(None)
        here.call_soon(asyncio.tasks._leave_task, here, other)
        here.call_soon(here.stop)
        here.run_forever()
        task._log_destroy_pending = False
        task.get_coro().close()
        here.close()
        return [_without_addresses(one).replace("_asyncio.Task", "Task") for one in told]

    if loop.eager or loop.debug:
        pytest.skip("one is enough: it is about the loop, not about how its tasks begin")
    assert program_on(loop.make()) == program_on(_bare_loop(loop.kind))
