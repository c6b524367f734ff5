# What ``histogram.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

cdef long long _DISTINCT


cdef class Histogram:
    cdef public object counts

    @cython.locals(shift=cython.longlong)
    cpdef record(self, long long value)
