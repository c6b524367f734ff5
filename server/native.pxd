# What ``native.pyx`` gives to what is compiled. What is asked for every message is said here in full: so each module has
# it of its own, and calls nobody for it.

cimport cython
from cpython.object cimport PyObject
from cpython.time cimport monotonic
from libc.string cimport memcpy


cdef extern from "pythread.h":
    unsigned long PyThread_get_thread_ident()


cdef extern from "Python.h":
    ctypedef object (*getter)(object of, void* closure)
    ctypedef struct PyGetSetDef:
        getter get
        void* closure
    ctypedef object (*PyCFunction)(object of, PyObject* nothing)
    bint PyCFunction_CheckExact(object builtin)
    PyObject* PyCFunction_GET_SELF(object builtin)
    char* PyBytes_AS_STRING(bytes data)
    Py_ssize_t PyBytes_GET_SIZE(bytes data)


cdef extern from *:
    """
    #include <string.h>
    #include <time.h>

    /* Nanoseconds of the clock that Python has for monotonic; negative where that may be another one. */
    static inline long long echotui_nanoseconds(void) {
    #ifdef __linux__
        struct timespec now;
        if (clock_gettime(CLOCK_MONOTONIC, &now) == 0) return now.tv_sec * 1000000000LL + now.tv_nsec;
    #endif
        return -1;
    }

    /* memmem is not in every C library. */
    static inline int echotui_holds(const char *data, size_t size, const char *word, size_t length) {
        const char *end = data + size;
        while (size >= length) {
            const char *at = memchr(data, word[0], size - length + 1);
            if (at == NULL) return 0;
            if (memcmp(at, word, length) == 0) return 1;
            data = at + 1;
            size = end - data;
        }
        return 0;
    }
    """
    long long echotui_nanoseconds() nogil
    bint echotui_holds(const char* data, size_t size, const char* word, size_t length)


cpdef inline double clock() noexcept:
    """Return what `time.monotonic` returns, to the last bit."""
    cdef long long nanoseconds = echotui_nanoseconds()
    return nanoseconds / 1e9 if nanoseconds >= 0 else monotonic()


cpdef inline unsigned long this_thread() noexcept:
    """Return what `threading.get_ident` returns."""
    return PyThread_get_thread_ident()


cdef struct ThreadTimes:
    long long asked, answered, ran
    unsigned long long starved
    bint known


cpdef tuple thread_times(int schedule, int timepiece=*)

cpdef object set_timer(int descriptor, double seconds)

cpdef inline size_t address(object of) noexcept:
    """Return what `id` returns."""
    return <size_t><PyObject*>of

cpdef object calling_frame()

cpdef object code_of(object frame)

cpdef object globals_of(object frame)

cpdef object back_of(object frame)

cpdef int offset_of(object frame) except -2

cpdef object function_of(object bound)

cpdef inline object self_of(object bound):
    """Return what a builtin method is bound to; None for what is none."""
    cdef PyObject* found = PyCFunction_GET_SELF(bound) if PyCFunction_CheckExact(bound) else NULL
    return None if found is NULL else <object>found

cpdef object weak(object of)

cpdef object call(object function, tuple args, dict named)

cpdef inline bint holds(bytes data, bytes word) except -1:
    """Return whether a word, which is not empty, is in there."""
    if data is None or not word:
        raise TypeError("it takes bytes, and a word")
    return echotui_holds(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word))

cdef enum:
    _BRIEF = 10 * 8

cdef struct Brief:
    long long text[10]  # eight bytes each. Of a text, Python would get what is before its first 0.
    unsigned char size

cpdef inline Brief brief(bytes data) noexcept:
    """Return the first `BRIEF` bytes for keeping: no object, which would lie somewhere else."""
    cdef Brief kept
    kept.size = 0 if data is None else <unsigned char>min(PyBytes_GET_SIZE(data), _BRIEF)
    if kept.size:
        memcpy(kept.text, PyBytes_AS_STRING(data), kept.size)
    return kept

cpdef inline bytes in_full(Brief kept):
    """Return the bytes that `brief` was given."""
    return (<char*>kept.text)[: min(kept.size, _BRIEF)]

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

    cpdef inline object of(self, object thing):
        """Return what `getattr` returns."""
        cdef PyObject* found
        if type(thing) is self.owner:
            if self.offset:
                found = (<PyObject**>(<char*><PyObject*>thing + self.offset))[0]
                if found is not NULL:
                    return <object>found
            elif self.getter is not NULL:
                return self.getter.get(thing, self.getter.closure)
        elif self.owner is None:
            self._look_up(type(thing))
            return self.of(thing)
        return getattr(thing, self.name)

    cdef _look_up(self, type kind)


@cython.final
cdef class Question:
    cdef object method
    cdef type owner
    cdef type kind
    cdef PyCFunction function

    cpdef inline object of(self, object thing):
        """Return what it returns."""
        if type(thing) is self.kind:
            return self.function(thing, NULL)
        return self._ask(thing)

    cdef _ask(self, object thing)
