# What ``conversation.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.native cimport holds

cdef bytes _NEW_LINE
cdef bytes _WORD
cdef unsigned char _END


cdef class Conversation:
    cdef public bint boomed
    cdef public bytes _recent

    @cython.locals(recent=bytes, stream=bytes, line_starts_at=cython.longlong)
    cpdef bytes receive(self, bytes data)
