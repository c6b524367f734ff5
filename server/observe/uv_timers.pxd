# What ``uv_timers.py`` is in C, where it is compiled. Nothing is said here but types.

cimport cython

from echotui.server.observe.timing cimport TaskData, TimerCounts


@cython.final
@cython.freelist(256)
cdef class UvTimer:
    cdef object __weakref__
    cdef readonly double _when
    cdef readonly object _callback
    cdef readonly tuple _args
    cdef readonly bint _cancelled
    cdef readonly bint _over
    cdef readonly object _context
    cdef readonly object _loop
    cdef readonly TaskData setter
    cdef object _inner
    cdef dict _live
    cdef TimerCounts _counts


@cython.locals(counts=TimerCounts, live=dict, timer=UvTimer)
cdef _uv_timer(object loop, double when, object delay, object callback, tuple args, object context, object setter)
