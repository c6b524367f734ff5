# What ``calling.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.bench.histogram cimport Histogram
from echotui.server.native cimport clock, give, receive

cdef double TELL_EVERY
cdef double _NANOSECONDS
cdef long long _OUT


@cython.final
cdef class Caller:
    cdef public object sock
    cdef public int fd
    cdef public long long said
    cdef public long long heard
    cdef public long long left
    cdef public long long in_flight
    cdef public object sent_at
    cdef public long long next_due
    cdef public long long due


cdef class Calling:
    cdef public object poller
    cdef public bytes tape
    cdef public bytes expected
    cdef public long long period
    cdef public long long size
    cdef public long long pipelining
    cdef public dict callers
    cdef public long long messages
    cdef public Histogram latencies
    cdef public long long owed
    cdef public double spin
    cdef public double spun
    cdef public int stop_at
    cdef public bint stopped


@cython.locals(
    before=double, now=double, tell_at=double, heard_at=double, spins=bint, heard=Caller, caller=Caller,
    room=cython.longlong, fd=int, mask=int,
)
cpdef double flat_out(Calling calling, double end, object tell) except -1

@cython.locals(
    before=double, now=double, tell_at=double, left=double, heard=Caller, caller=Caller, everybody=list, callers=dict,
    number=cython.longlong, due=cython.longlong, many=cython.longlong, most=cython.longlong, fd=int, mask=int,
)
cpdef double by_the_clock(Calling calling, double began, double end, double interval, object tell) except -1

@cython.locals(size=cython.longlong)
cpdef say(Calling calling, Caller caller, double when, long long messages)

@cython.locals(sent=cython.longlong, at=cython.longlong)
cdef _send(Calling calling, Caller caller)

@cython.locals(caller=Caller, data=bytes, now=double, size=cython.longlong, at=cython.longlong, waiting=cython.longlong)
cpdef Caller hear(Calling calling, int fd, int mask)
