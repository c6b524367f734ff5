# What ``hosting.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.native cimport clock


@cython.final
cdef class OnLoop:
    cdef object __weakref__
    cdef object _turns
    cdef object _selector
    cdef object _loop
    cdef int _descriptor
    cdef object _timer
    cdef object _woken
    cdef object _going_on
    cdef double _timer_due
    cdef double _deadline

    cdef _wait(self, double timeout)

    cdef _set_timer(self, double timeout)

    cpdef _hand_over(self, list ready)
