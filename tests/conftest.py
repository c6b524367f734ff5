"""``async def test_…`` just works, on every kind of loop, and leaves nothing behind.

A coroutine test runs once on each loop of `support.loops_for`. Once it is over, no task, thread or descriptor may be
left, and asyncio may have logged no error: whatever the lab did not put into its journal would be lost otherwise.

A test that starts a process of its own takes the argument `loop_kind`, and gives it to ``--loop``.
"""

import asyncio
import gc
import inspect
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from echotui.server.loops import LOOP_KINDS
from echotui.tui.config import VARIABLE

pytest.register_assert_rewrite("support")  # before it is imported: what it asserts should be explained, too
from support import EVERY_LOOP, Loop, loops_for  # noqa: E402 - see above


def pytest_sessionstart() -> None:
    # Whoever runs the tests may have a configuration, and the tests have another: none.
    os.environ[VARIABLE] = os.devnull
    # A shell starts what is in the background with SIGINT ignored, and every program that is started inherits that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # `nohup` does the same with SIGHUP. A handler is not inherited: those that are started here have the default again.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    # The first loop of libuv opens descriptors that it keeps as long as the process lives: not a test's leak.
    for loop in EVERY_LOOP:
        with loop.runner() as runner:
            runner.run(asyncio.sleep(0))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if inspect.iscoroutinefunction(metafunc.function):
        metafunc.fixturenames.append("loop")
        folder = Path(metafunc.module.__file__ or "").parent.name
        metafunc.parametrize("loop", loops_for(folder), ids=str)
    elif "loop_kind" in metafunc.fixturenames:
        metafunc.parametrize("loop_kind", LOOP_KINDS)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    loop = pyfuncitem.callspec.params["loop"]
    assert isinstance(loop, Loop)
    _run_and_look_around(loop, lambda: pyfuncitem.obj(**arguments))
    return True


def _run_and_look_around(loop: Loop, test: Callable[[], Awaitable[None]]) -> None:
    process = psutil.Process()
    descriptors, threads = process.num_fds(), set(threading.enumerate())
    logged: list[str] = []
    listener = logging.Handler(logging.ERROR)
    listener.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("asyncio").addHandler(listener)
    try:
        with loop.runner() as runner:
            runner.run(_leaving_no_task(test))
    finally:
        logging.getLogger("asyncio").removeHandler(listener)
    # The young generations hold what a test has left; the whole heap is worth a look only if a descriptor is missing.
    gc.collect(1)
    if process.num_fds() > descriptors:
        gc.collect()
    assert logged == []
    assert set(threading.enumerate()) <= threads
    assert process.num_fds() <= descriptors


async def _leaving_no_task(test: Callable[[], Awaitable[None]]) -> None:
    await test()
    assert asyncio.all_tasks() == {asyncio.current_task()}
