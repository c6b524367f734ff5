# What ``ticking.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.native cimport clock

from echotui.server.observe.timing cimport TimerCounts


cdef class StallLimit:
    cdef public double longest
    cdef public double put_off_at


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
    cdef public StallLimit _stalls
    cdef public object _letters
    cdef public object _loop
    cdef public bint _woke
    cdef public double _began
    cdef public object _asked
    cdef public object _timer_name
    cdef public object _setter_id
    cdef public double _slept
    cdef public tuple _ready
    cdef public long long _ready_count
    cdef public long long _work
    cdef public double _rested_until

    cpdef tick(self, object select, object timeout=*)


@cython.locals(stalls=StallLimit)
cpdef fall_asleep(Ticking tick, double began, object timeout, list scheduled, long long work)

@cython.locals(stalls=StallLimit)
cpdef wake(Ticking tick, double now, list ready, long long count)

@cython.locals(ran=double)
cpdef finish(Ticking tick, double now)
