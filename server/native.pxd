# What ``native.pyx`` gives to what is compiled.

cimport cython
from cpython.object cimport PyObject

cdef extern from "Python.h":
    ctypedef object (*getter)(object of, void* closure)
    ctypedef struct PyGetSetDef:
        getter get
        void* closure
    ctypedef object (*PyCFunction)(object of, PyObject* nothing)


cpdef double clock() noexcept

cpdef unsigned long this_thread() noexcept

cdef struct ThreadTimes:
    long long asked, answered, ran
    unsigned long long starved
    bint known


cpdef tuple thread_times(int schedule, int timepiece=*)

cpdef object set_timer(int descriptor, double seconds)

cpdef size_t address(object of) noexcept

cpdef object calling_frame()

cpdef object code_of(object frame)

cpdef object globals_of(object frame)

cpdef object back_of(object frame)

cpdef int offset_of(object frame) except -2

cpdef object function_of(object bound)

cpdef object self_of(object bound)

cpdef object weak(object of)

cpdef object call(object function, tuple args, dict named)

cpdef bint holds(bytes data, bytes word) except -1

cpdef bytes receive(int descriptor)

cpdef long long give(int descriptor, bytes data, long long at, long long size) except -1


@cython.final
cdef class Vigil:
    cdef readonly int timer
    cdef readonly int bell
    cdef readonly bytes asleep
    cdef public int said, schedule, timepiece
    cdef public double period
    cdef public double found_at
    cdef public bint asked
    cdef public bint on
    cdef bint looking
    cdef ThreadTimes found

    cpdef bint begin(self, double period)

    cpdef tuple times(self)

    cpdef object wait(self)


@cython.final
cdef class Attribute:
    cdef type owner
    cdef str name
    cdef Py_ssize_t offset
    cdef PyGetSetDef* getter

    cpdef object of(self, object thing)

    cdef _look_up(self, type kind)


@cython.final
cdef class Question:
    cdef object method
    cdef type owner
    cdef PyCFunction function

    cpdef object of(self, object thing)
