# What ``scheduling.py`` is in C, where it is compiled. Nothing is said here but types.

cimport cython

from echotui.server.observe.timing cimport TaskData, Turn, timed_step


@cython.locals(record=TaskData, creator=TaskData)
cdef _create_task(object loop, Turn tasks, object coro, dict kwargs, object frame)

cpdef stepping_task(object callback, tuple args)

cdef _call_soon(object loop, Turn tasks, object callback, tuple args, object context)

cdef _uv_call_soon(object loop, Turn tasks, object callback, tuple args, object context)
