# What ``selecting.py`` is in C, where it is compiled. Only types and names are said here.

cdef int EVENT_READ
cdef int EVENT_WRITE
cdef int _IN
cdef int _OUT

cpdef int events_of(int found) except -1
