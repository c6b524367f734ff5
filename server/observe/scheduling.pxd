# What ``scheduling.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.native cimport (
    Attribute, address, back_of, call, calling_frame, code_of, globals_of, offset_of, self_of, this_thread,
)
from echotui.server.observe.timing cimport TaskData, Turn, enter_task, same_mark, timed_step

cdef object FIRST_STEP
cdef object WAKEUP
cdef object Task
cdef object TaskRecord
cdef object _CREATE_TASK
cdef dict _asyncio_names
cdef Attribute _tasks
cdef Attribute _future_waited_for
cdef int EVENT_READ
cdef int EVENT_WRITE


@cython.locals(record=TaskData, creator=TaskData)
cdef _create_task(object loop, Turn tasks, object coro, dict kwargs, object frame)

cpdef stepping_task(object callback, object argument)

cdef _call_soon(object loop, Turn tasks, object callback, tuple args, object context)

cpdef enqueue(object loop, object ready, object key, tuple handles, int mask)
