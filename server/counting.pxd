# What ``counting.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.native cimport Brief, brief, clock, in_full

cdef long long _LAST_KEPT
cdef long long _BRIEF


cdef class Totals:
    cdef public long long reads
    cdef public long long bytes_in
    cdef public long long bytes_out


cdef class Traffic(Totals):
    cdef public long long unsent
    cdef public double last_in_at
    cdef Brief _brief
    cdef bytes _longer
    cdef public object link
    cdef public bint has_to_boom

    @cython.locals(size=cython.longlong)
    cdef keep(self, bytes data)


cdef class Details:
    cdef public bint details_open
    cdef public long long details_skipped


@cython.final
cdef class Tally:
    cdef readonly Totals totals
    cdef readonly Details details

    @cython.locals(details=Details)
    cpdef received(self, Traffic connection, bytes data)

    @cython.locals(details=Details)
    cpdef sent(self, Traffic connection, long long size, long long unsent=*)

    @cython.locals(totals=Totals, size=cython.longlong)
    cpdef count_received(self, Traffic connection, bytes data)

    cpdef count_sent(self, Traffic connection, long long size, long long unsent)

    cdef _tell_received(self, object who, bytes data)

    cdef _tell_sent(self, object who, long long size, long long unsent)
