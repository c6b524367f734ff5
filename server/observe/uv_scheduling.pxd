# What ``uv_scheduling.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.native cimport Attribute, clock, this_thread
from echotui.server.observe.scheduling cimport stepping_task
from echotui.server.observe.timing cimport (
    Called, TaskData, TimerCounts, Turn, begin_step, end_step, note_cancelled, note_fired, stand_in,
)

cdef object FIRST_STEP
cdef object _bare_call_soon
cdef object _bare_call_later
cdef Attribute _record
cdef Attribute _tasks


@cython.final
cdef class UvStep:
    cdef object task
    cdef object callback
    cdef tuple args


@cython.locals(step=UvStep)
cdef _uv_call_soon(object loop, Turn tasks, object callback, tuple args, object context)


cpdef double seconds_of(object delay) except? -1


@cython.final
cdef class UvTimer(Called):
    cdef readonly double _when
    cdef readonly bint _over
    cdef readonly TaskData setter
    cdef object _inner
    cdef TimerCounts _counts


@cython.locals(counts=TimerCounts, timer=UvTimer, when=double)
cdef _uv_call_later(object loop, Turn tasks, object delay, object callback, tuple args, object context)
