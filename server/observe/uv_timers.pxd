# What ``uv_timers.py`` is in C, where it is compiled. Nothing is said here but types.

cimport cython

from echotui.server.observe.timing cimport Called, TaskData, TimerCounts


@cython.final
@cython.freelist(256)
cdef class UvTimer(Called):
    cdef readonly double _when
    cdef readonly bint _over
    cdef readonly TaskData setter
    cdef object _inner
    cdef dict _live
    cdef TimerCounts _counts


@cython.locals(counts=TimerCounts, live=dict, timer=UvTimer)
cdef _uv_timer(object loop, double when, object delay, object callback, tuple args, object context, object setter)
