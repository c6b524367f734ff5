# What ``turning.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.native cimport Attribute, clock, function_of
from echotui.server.observe.scheduling cimport enqueue
from echotui.server.observe.selecting cimport events_of
from echotui.server.observe.ticking cimport Ticking, fall_asleep, wake
from echotui.server.observe.timing cimport TimedStep

cdef object _run_once
cdef object _heappop
cdef object _popleft
cdef object _time
cdef object _time_module
cdef object _monotonic
cdef Attribute _selector_of
cdef Attribute _ready_of
cdef Attribute _scheduled_of
cdef Attribute _is_stopping
cdef Attribute _debug_of
cdef Attribute _resolution_of
cdef Attribute _cancelled_of
cdef long long MANY_CANCELLED
cdef object _LONGEST_SLEEP


cdef class Turning(Ticking):
    cdef public dict _keys
    cdef public object _queue
    cdef public object _poll
    cdef public object _select
    cdef public object _selector


cdef bint _is_as_usual(Turning turning, object loop) except -1

@cython.locals(scheduled=list)
cdef _turn(object loop, Turning turning)

cdef _run_step(TimedStep step)

@cython.locals(began=double, now=double, mask=int, fd=int, event=int, count=cython.longlong)
cdef _wait(Turning turning, object loop, object queue, list scheduled)

cdef _queue_due(list scheduled, object queue, object end)
