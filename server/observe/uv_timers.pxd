# What ``uv_timers.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.native cimport clock, this_thread
from echotui.server.observe.timing cimport (
    Called, TaskData, TimerCounts, Turn, note_cancelled, note_fired, stand_in,
)

cdef object _bare_call_later


cpdef double seconds_of(object delay) except? -1


@cython.final
cdef class UvTimer(Called):
    cdef readonly double _when
    cdef readonly bint _over
    cdef readonly TaskData setter
    cdef object _inner
    cdef TimerCounts _counts


@cython.locals(counts=TimerCounts, timer=UvTimer, when=double, elsewhere=bint)
cdef _uv_call_later(object loop, Turn tasks, object delay, object callback, tuple args, object context)
