"""What ``native.py`` has of Python, of C: the same, for the price of a call in C."""

from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from cpython.object cimport PyObject, PyObject_Call
from cpython.weakref cimport PyWeakref_NewRef
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memcmp

from time import thread_time


cdef extern from "<stdio.h>":
    int sscanf(const char* text, const char* form, ...) nogil


cdef extern from "<unistd.h>":
    ssize_t pread(int descriptor, void* into, size_t size, long long at) nogil
    ssize_t read(int descriptor, void* into, size_t size) nogil
    ssize_t write(int descriptor, const void* data, size_t size) nogil


cdef extern from "Python.h":
    ctypedef struct PyFrameObject
    ctypedef struct PyCodeObject
    bint PyFrame_Check(object frame)
    PyFrameObject* PyEval_GetFrame()
    PyCodeObject* PyFrame_GetCode(PyFrameObject* frame)
    object PyFrame_GetGlobals(PyFrameObject* frame)
    PyFrameObject* PyFrame_GetBack(PyFrameObject* frame)
    int PyFrame_GetLasti(PyFrameObject* frame)
    bint PyMethod_Check(object bound)
    PyObject* PyMethod_GET_FUNCTION(object bound)
    void Py_DECREF(PyObject* held)


cdef extern from *:
    """
    #include <structmember.h>
    #include <time.h>
    #ifdef __linux__
    #include <sys/timerfd.h>
    #endif

    /* How long a thread has run, by its clock: 0 for this thread's. Negative where that is not known this way. */
    static long long echotui_ran(int timepiece) {
    #ifdef CLOCK_THREAD_CPUTIME_ID
        struct timespec ran;
        if (clock_gettime(timepiece ? timepiece : CLOCK_THREAD_CPUTIME_ID, &ran) == 0)
            return ran.tv_sec * 1000000000LL + ran.tv_nsec;
    #endif
        return -1;
    }

    static void echotui_set_timer(int descriptor, double seconds) {
    #ifdef __linux__
        struct itimerspec due = {{0, 0}, {(time_t)seconds, 0}};
        due.it_value.tv_nsec = (long)((seconds - due.it_value.tv_sec) * 1e9);
        timerfd_settime(descriptor, 0, &due, NULL);
    #endif
    }

    /* What is written before it, all see who have passed it themselves. */
    static void echotui_fence(void) {
    #if defined(__GNUC__)
        __sync_synchronize();
    #endif
    }

    /* Whether objects of this class have what a descriptor of this kind, a type of C's, is for, as they have all else. */
    static int echotui_is_for(PyTypeObject *kind, PyObject *descriptor, PyTypeObject *wanted) {
        return kind->tp_getattro == PyObject_GenericGetAttr && Py_IS_TYPE(descriptor, wanted)
            && PyType_IsSubtype(kind, PyDescr_TYPE(descriptor));
    }

    /* Where the object lies that a slot holds; 0 for what is no such slot. */
    static Py_ssize_t echotui_offset(PyTypeObject *kind, PyObject *descriptor) {
        if (!echotui_is_for(kind, descriptor, &PyMemberDescr_Type)) return 0;
        PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        return member->type == T_OBJECT_EX ? member->offset : 0;
    }

    /* What C asks for an attribute, and with what; NULL for what is no attribute of that kind. */
    static PyGetSetDef *echotui_getter(PyTypeObject *kind, PyObject *descriptor) {
        if (!echotui_is_for(kind, descriptor, &PyGetSetDescr_Type)) return NULL;
        PyGetSetDef *found = ((PyGetSetDescrObject *)descriptor)->d_getset;
        return found->get == NULL ? NULL : found;
    }

    /* What C calls for a method that takes nothing; NULL for what is no such method. */
    static PyCFunction echotui_method(PyObject *descriptor) {
        if (!Py_IS_TYPE(descriptor, &PyMethodDescr_Type)) return NULL;
        PyMethodDef *method = ((PyMethodDescrObject *)descriptor)->d_method;
        return method->ml_flags == METH_NOARGS ? method->ml_meth : NULL;
    }
    """
    long long echotui_ran(int timepiece) nogil
    void echotui_set_timer(int descriptor, double seconds) nogil
    void echotui_fence() nogil
    Py_ssize_t echotui_offset(type kind, object descriptor)
    PyGetSetDef* echotui_getter(type kind, object descriptor)
    PyCFunction echotui_method(object descriptor)


cdef void _read_times(ThreadTimes* times, int schedule, int timepiece) noexcept nogil:
    cdef char said[80]
    cdef unsigned long long on_core, turns
    cdef ssize_t size = 0
    times.asked = echotui_nanoseconds()
    times.ran = echotui_ran(timepiece)
    if schedule >= 0:
        size = pread(schedule, said, sizeof(said) - 1, 0)
    times.answered = echotui_nanoseconds()
    said[max(size, 0)] = 0
    times.known = sscanf(said, "%llu %llu %llu", &on_core, &times.starved, &turns) == 3 and on_core


cdef tuple _in_seconds(ThreadTimes* times):
    starved = times.starved / 1e9 if times.known else None
    return times.asked / 1e9, times.answered / 1e9, times.ran / 1e9, starved


cpdef tuple thread_times(int schedule, int timepiece=0):
    """Read how long a thread has run and been starved; see ``native.py``."""
    cdef ThreadTimes times
    cdef double asked = clock()
    _read_times(&times, schedule, timepiece)
    if times.asked < 0:  # it is not Linux
        return asked, clock(), thread_time(), None
    if times.ran < 0:  # the thread is of the process this is a fork of
        times.ran = <long long>(thread_time() * 1e9)
    return _in_seconds(&times)


cpdef object set_timer(int descriptor, double seconds):
    """Have a timer descriptor of Linux become readable after some seconds; see ``native.py``."""
    echotui_set_timer(descriptor, seconds)


#: See ``native.py``.
NEEDS_NO_LOCK = True


cdef class Vigil:
    """Looks whether a thread sleeps, without the interpreter's lock; see ``native.py``."""

    def __init__(self, int timer, int bell, bytes asleep):
        self.timer = timer
        self.bell = bell
        self.asleep = asleep
        self.said = self.schedule = -1

    cpdef bint begin(self, double period):
        """Begin to look; return whether somebody does."""
        self.found_at = 0
        self.asked = False
        self.period = period
        self.on = True
        echotui_fence()
        if not self.looking:
            self.on = False
        return self.on

    cpdef tuple times(self):
        """Return what `thread_times` returned of the thread when it was found awake."""
        return _in_seconds(&self.found)

    cpdef object wait(self):
        """Wait until the timer rings while it is off, or the thread was found awake."""
        cdef char said[80]
        cdef const char* asleep = PyBytes_AS_STRING(self.asleep)
        cdef ssize_t size = PyBytes_GET_SIZE(self.asleep)
        cdef unsigned long long rung
        cdef bint failed = False
        with nogil:
            self.looking = True
            while True:
                if read(self.timer, &rung, sizeof(rung)) < 0:
                    if errno == EINTR:
                        continue
                    failed = True
                elif self.on:
                    if self.asked or pread(self.said, said, sizeof(said), 0) < size or memcmp(said, asleep, size):
                        _read_times(&self.found, self.schedule, self.timepiece)
                        self.found_at = self.found.asked / 1e9
                        self.on = False
                        rung = 1
                        write(self.bell, &rung, sizeof(rung))
                    else:
                        echotui_set_timer(self.timer, self.period)
                        continue
                self.looking = False
                echotui_fence()
                if failed or not self.on:
                    break
                self.looking = True  # it was put on again in this very moment, by who has heard the bell
                echotui_set_timer(self.timer, self.period)
        if failed:
            PyErr_SetFromErrno(OSError)


cdef PyFrameObject* _frame(object frame) except NULL:
    if not PyFrame_Check(frame):
        raise TypeError(f"{type(frame).__name__} is no frame")
    return <PyFrameObject*><PyObject*>frame


cdef object _taken(PyObject* held):
    """Return what C has handed over, reference and all; None for nothing."""
    if held is NULL:
        return None
    taken = <object>held
    Py_DECREF(held)
    return taken


cpdef object calling_frame():
    """Return the frame that has called the function that asks: what is compiled has none of its own."""
    cdef PyObject* frame = <PyObject*>PyEval_GetFrame()
    return None if frame is NULL else <object>frame


cpdef object code_of(object frame):
    return _taken(<PyObject*>PyFrame_GetCode(_frame(frame)))


cpdef object globals_of(object frame):
    return PyFrame_GetGlobals(_frame(frame))


cpdef object back_of(object frame):
    return _taken(<PyObject*>PyFrame_GetBack(_frame(frame)))


cpdef int offset_of(object frame) except -2:
    return PyFrame_GetLasti(_frame(frame))


cpdef object function_of(object bound):
    """Return what a bound method calls; None for what is none."""
    return <object>PyMethod_GET_FUNCTION(bound) if PyMethod_Check(bound) else None


cdef class Attribute:
    """An attribute, asked for so often that where it is is looked up once: in the first object's class, if it is there.

    That is so where the class has it in a slot, or C gives it. It is taken for granted that the class keeps it there.
    """

    def __init__(self, str name):
        self.name = name

    cdef _look_up(self, type kind):
        self.owner = kind
        descriptor = next((vars(base)[self.name] for base in kind.__mro__ if self.name in vars(base)), None)
        self.offset = echotui_offset(kind, descriptor)
        self.getter = echotui_getter(kind, descriptor)


cdef class Question:
    """A method that takes nothing but whom it is asked of."""

    def __init__(self, method):
        self.method = method
        self.owner = getattr(method, "__objclass__", None)
        self.function = NULL if self.owner is None else echotui_method(method)

    cdef _ask(self, object thing):
        if self.function is NULL or not isinstance(thing, self.owner):
            return self.method(thing)
        self.kind = type(thing)  # the next one will be of the same class
        return self.function(thing, NULL)


cpdef object weak(object of):
    """Return a `weakref.ref` to something."""
    return PyWeakref_NewRef(of, None)


cpdef object call(object function, tuple args, dict named):
    """Call a function that changes nothing in what it is called with."""
    return PyObject_Call(function, args, named)


cdef enum:
    _MOST_RECEIVED = 65536

#: How many bytes `receive` returns at most.
MOST_RECEIVED = _MOST_RECEIVED

#: How many bytes `brief` keeps.
BRIEF = _BRIEF

cdef char _arrived[_MOST_RECEIVED]


cpdef bytes receive(int descriptor):
    """Return what can be read from a descriptor, up to `MOST_RECEIVED` bytes; None if there is nothing yet."""
    cdef ssize_t size
    while True:
        size = read(descriptor, _arrived, sizeof(_arrived))
        if size >= 0:
            return _arrived[:size]
        if errno == EAGAIN:
            return None
        _unless_interrupted()


cpdef long long give(int descriptor, bytes data, long long at, long long size) except -1:
    """Write so many bytes from a place on; return how many were taken, which is none if there is no room yet."""
    cdef ssize_t taken
    if data is None or at < 0 or size < 0 or at + size > PyBytes_GET_SIZE(data):
        raise ValueError("it takes bytes, and a part of them")
    while True:
        taken = write(descriptor, PyBytes_AS_STRING(data) + at, size)
        if taken >= 0:
            return taken
        if errno == EAGAIN:
            return 0
        _unless_interrupted()


cdef int _unless_interrupted() except -1:
    """Let the call be made again that a signal has interrupted; raise what the system says otherwise."""
    if errno != EINTR:
        PyErr_SetFromErrno(OSError)
    return PyErr_CheckSignals()
