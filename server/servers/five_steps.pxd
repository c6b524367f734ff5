# What ``five_steps.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.counting cimport Details
from echotui.server.native cimport clock

cdef double _WORTH_TELLING


@cython.final
cdef class FiveSteps:
    cdef public double now
    cdef public double busy
    cdef str _server
    cdef Details _journal
    cdef double _longest
    cdef object _on_empty
    cdef list _ready
    cdef list _new
    cdef list _deadlines
    cdef object _order

    @cython.locals(ready=list)
    cdef _run_ready(self)

    cdef _register_new(self, object selector)

    cdef double _calculate_timeout(self) except -1

    @cython.locals(asked_at=double, journal=Details)
    cdef _turn_into_ready(self, list found)
