"""What ``native.py`` has of Python, of C: the same, for the price of a call in C."""

from cpython.object cimport PyObject, PyObject_Call
from cpython.time cimport monotonic
from cpython.weakref cimport PyWeakref_NewRef


cdef extern from "pythread.h":
    unsigned long PyThread_get_thread_ident()


cdef extern from "Python.h":
    PyObject* PyEval_GetFrame()
    object PyFrame_GetCode(PyObject* frame)
    object PyFrame_GetGlobals(PyObject* frame)
    PyObject* PyFrame_GetBack(PyObject* frame)
    int PyFrame_GetLasti(PyObject* frame)
    void Py_DECREF(PyObject* held)
    char* PyBytes_AS_STRING(bytes data)
    Py_ssize_t PyBytes_GET_SIZE(bytes data)


cdef extern from *:
    """
    #include <string.h>

    /* memmem is not in every C library. */
    static int echotui_holds(const char *data, size_t size, const char *word, size_t length) {
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
    bint echotui_holds(const char* data, size_t size, const char* word, size_t length)


cpdef double clock() noexcept:
    """Return what `time.monotonic` returns."""
    return monotonic()


cpdef unsigned long this_thread() noexcept:
    """Return what `threading.get_ident` returns."""
    return PyThread_get_thread_ident()


cpdef size_t address(object of) noexcept:
    """Return what `id` returns."""
    return <size_t><PyObject*>of


cpdef object caller():
    """Return the frame that has called the function that asks: what is compiled has none of its own."""
    cdef PyObject* frame = PyEval_GetFrame()
    return None if frame is NULL else <object>frame


cpdef object code_of(object frame):
    return PyFrame_GetCode(<PyObject*>frame)


cpdef object globals_of(object frame):
    return PyFrame_GetGlobals(<PyObject*>frame)


cpdef object back_of(object frame):
    cdef PyObject* back = PyFrame_GetBack(<PyObject*>frame)
    if back is NULL:
        return None
    found = <object>back
    Py_DECREF(back)
    return found


cpdef int offset_of(object frame) noexcept:
    return PyFrame_GetLasti(<PyObject*>frame)


cpdef object weak(object of):
    """Return a `weakref.ref` to something."""
    return PyWeakref_NewRef(of, None)


cpdef object call(object function, tuple args, dict named):
    """Call a function that changes nothing in what it is called with."""
    return PyObject_Call(function, args, named)


cpdef bint holds(bytes data, bytes word) except -1:
    """Return whether a word, which is not empty, is in there."""
    if data is None or not word:
        raise TypeError("bytes and a word are needed")
    return echotui_holds(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word))
