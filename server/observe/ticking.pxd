# What ``ticking.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.native cimport clock

from echotui.server.observe.timing cimport TimerCounts


cdef class Ticking:
    cdef public bint on
    cdef public long long count
    cdef public bint asleep
    cdef public double awake_since
    cdef public double ran
    cdef public double _longest
    cdef public object _ring
    cdef public object _observation
    cdef public TimerCounts _timers
    cdef public object _stalls
    cdef public object _letters
    cdef public object _loop
    cdef public tuple _start
    cdef public long long _work

    @cython.locals(timers=TimerCounts, began=double, now=double, work=cython.longlong, count=cython.longlong)
    cpdef tick(self, object select, object timeout=*)


@cython.locals(ran=double, start=tuple)
cpdef finish(Ticking tick, double now)

cdef tuple _descriptors(object ready, long long count)
