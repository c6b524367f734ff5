# What ``answering.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.counting cimport Traffic
from echotui.server.exchange cimport Exchange


@cython.final
cdef class Answering:
    cdef object server
    cdef readonly Traffic connection
    cdef Exchange exchange
    cdef object transport
    cdef object ended_by
    cdef object deadline
    cdef object alarm
    cdef bint rests
    cdef bint peer_has_ended
    cdef long long buffered
