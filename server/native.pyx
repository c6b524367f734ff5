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
