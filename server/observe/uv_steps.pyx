"""What ``uv_steps.py`` has of Python, of C: the same, where nothing is packed only to be unpacked again.

A task calls `call_soon` by what CPython knows as vectorcall, and so does uvloop's handle call what it holds: the
arguments lie in a row, and are handed on where they lie. What is compiled of a function in Python packs them into a tuple
first, and unpacks them again to call uvloop's own; that was a third of what a message paid for being watched.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject

from echotui.server.native cimport Attribute, this_thread
from echotui.server.observe.scheduling cimport stepping_task
from echotui.server.observe.timing cimport TaskData, Turn, begin_step, end_step

import uvloop

from . import places, steps


cdef extern from "Python.h":
    ctypedef object (*vectorcallfunc)(PyObject* called, PyObject* const* given, size_t count, PyObject* names)
    object PyObject_Vectorcall(object called, PyObject* const* given, size_t count, PyObject* names)
    Py_ssize_t PyTuple_GET_SIZE(PyObject* of)


cdef extern from *:
    """
    typedef PyObject *(*echotui_fastcall)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

    static PyMethodDef echotui_call_soon = {
        "call_soon", NULL, METH_FASTCALL | METH_KEYWORDS,
        "call_soon($self, callback, *args, context=None)\\n--\\n\\n"
        "Have something called in the next turn of a uvloop loop. A step of a task is timed."
    };

    /* A method of a class, called as a task calls it. */
    static PyObject *echotui_descriptor(PyObject *kind, echotui_fastcall function) {
        echotui_call_soon.ml_meth = (PyCFunction)(void (*)(void))function;
        return PyDescr_NewMethod((PyTypeObject *)kind, &echotui_call_soon);
    }

    /* Have the objects of a class called by the function that each of them holds, so many bytes from its beginning. */
    static void echotui_call_by(PyObject *kind, Py_ssize_t offset) {
        ((PyTypeObject *)kind)->tp_vectorcall_offset = offset;
        ((PyTypeObject *)kind)->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    }
    """
    ctypedef object (*echotui_fastcall)(PyObject* of, PyObject* const* given, Py_ssize_t count, PyObject* names)
    object echotui_descriptor(object kind, echotui_fastcall function)
    void echotui_call_by(object kind, Py_ssize_t offset)


cdef object FIRST_STEP = steps.FIRST_STEP
cdef object _bare_call_soon = uvloop.Loop.call_soon
cdef Attribute _record = Attribute("_echotui_record")
cdef Attribute _tasks = Attribute("_echotui_tasks")

cdef enum:
    _FEW = 8  # arguments


@cython.final
@cython.freelist(256)  # each step makes one
cdef class UvStep:
    """One step of an observed task, which the loop's own handle calls in place of the task's."""

    cdef vectorcallfunc run
    cdef object task
    cdef object callback
    cdef object woken_by  # the future; None if none did

    def __call__(self):
        return _run(<PyObject*>self, NULL, 0, NULL)

    def __repr__(self):
        return repr(self.callback)


cdef object _run(PyObject* called, PyObject* const* given, size_t count, PyObject* names):
    """Run a step, and note what it took."""
    cdef UvStep step = <UvStep>called
    cdef object task = step.task
    cdef TaskData record = _record.of(task)
    begin_step(record, task, step.woken_by)
    try:
        if step.woken_by is None:
            step.callback()
        else:
            step.callback(step.woken_by)
    finally:
        end_step(record, task)


cdef object _call_soon(PyObject* of, PyObject* const* given, Py_ssize_t count, PyObject* names):
    """Have something called in the next turn."""
    cdef object loop = <object>of
    cdef object callback, task = None
    cdef object argument = <object>given[1] if count == 2 else None
    cdef UvStep step
    cdef Turn tasks = _tasks.of(loop)
    cdef PyObject* handed_on[3]
    cdef Py_ssize_t named = 0 if names is NULL else PyTuple_GET_SIZE(names)
    callback = <object>given[0] if count > 0 else _named_callback(given, named, names)
    if type(callback) is not FIRST_STEP and tasks.thread != this_thread() and tasks.thread and not tasks.debug:
        loop.observation.complaints.called_from_elsewhere("call_soon", callback)
    if named <= 1 and count == (1 if argument is None else 2):
        task = stepping_task(callback, argument)
    if task is None:
        return _hand_on(of, given, count, named, names)
    step = UvStep.__new__(UvStep)
    step.run = _run
    step.task = task
    step.callback = callback
    step.woken_by = argument
    handed_on[0] = of
    handed_on[1] = <PyObject*>step
    if named:
        handed_on[2] = given[count]  # the context
    return PyObject_Vectorcall(_bare_call_soon, handed_on, 2, names)


cdef object _named_callback(PyObject* const* given, Py_ssize_t named, PyObject* names):
    """Return the callback that is given by its name; None if none is."""
    cdef Py_ssize_t at
    for at in range(named):
        if (<tuple>names)[at] == "callback":
            return <object>given[at]
    return None


cdef object _hand_on(PyObject* of, PyObject* const* given, Py_ssize_t count, Py_ssize_t named, PyObject* names):
    """Call the loop's own `call_soon` with just that."""
    cdef PyObject* few[_FEW]
    cdef PyObject** row = &few[0]
    cdef Py_ssize_t at
    if 1 + count + named > _FEW:
        row = <PyObject**>PyMem_Malloc((1 + count + named) * sizeof(PyObject*))
        if row is NULL:
            raise MemoryError
    try:
        row[0] = of
        for at in range(count + named):
            row[1 + at] = given[at]
        return PyObject_Vectorcall(_bare_call_soon, row, 1 + count, names)
    finally:
        if row != &few[0]:
            PyMem_Free(row)


cdef UvStep _one = UvStep.__new__(UvStep)
echotui_call_by(UvStep, <char*>&_one.run - <char*><PyObject*>_one)
uv_call_soon = echotui_descriptor(uvloop.Loop, _call_soon)
places.MACHINERY.add(id(globals()))
