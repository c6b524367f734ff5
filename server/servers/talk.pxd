# What ``talk.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.conversation cimport Conversation
from echotui.server.counting cimport Tally, Traffic


@cython.final
cdef class Talk:
    cdef public object server
    cdef public object sock
    cdef public Traffic connection
    cdef Tally tally
    cdef Conversation conversation
    cdef object unsent
    cdef public object interrupt
    cdef object rests_until

    @cython.locals(connection=Traffic, data=bytes, answer=bytes)
    cdef _receive(self)

    @cython.locals(sent=cython.longlong, unsent=cython.longlong, connection=Traffic)
    cdef _send(self, answer)
