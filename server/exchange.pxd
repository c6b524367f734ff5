# What ``exchange.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.conversation cimport Conversation
from echotui.server.counting cimport Tally, Traffic

cdef long long _FAIR_SHARE


@cython.final
cdef class Exchange(Conversation):
    cdef public bytes answer
    cdef public Traffic connection
    cdef public Tally tally
    cdef public bint upper
    cdef public bint awaits
    cdef long long _times
    cdef long long _reads_then

    cpdef bytes take(self, bytes data)

    @cython.locals(answer=bytes, connection=Traffic)
    cpdef bytes converse(self, bytes data)

    @cython.locals(connection=Traffic)
    cpdef bint settle(self)

    cpdef bint is_sent(self, long long size)

    @cython.locals(then=cython.longlong)
    cpdef bint has_had_its_share(self, long long reads)
