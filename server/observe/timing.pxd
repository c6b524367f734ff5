# What ``timing.py`` is in C, where it is compiled. Only types and names are said here.

cimport cython

from echotui.server.native cimport Attribute, Question, address, clock, weak


cdef Attribute _record
cdef Question _is_done
cdef object _was_cancelled
cdef object _append

cdef class TaskData
cdef class Turn
cdef class TimerCounts


cdef class CoroutineKind:
    cdef public object code
    cdef public object owner
    cdef public double busy
    cdef public bint among_all


cdef class Turn:
    cdef public bint on
    cdef public bint debug
    cdef public object factory
    cdef public bint loop_is_over
    cdef public unsigned long long thread
    cdef public long long numbers
    cdef public long long spoilt
    cdef public long long sweep_at
    cdef public TaskData running
    cdef public double started
    cdef public dict live
    cdef public object ended
    cdef public dict kinds
    cdef public dict task_arguments
    cdef public tuple latest_mark
    cdef public TimerCounts timers

    @cython.locals(record=TaskData)
    cpdef sweep(self)


# What is touched in each step comes first, to lie in one line of the processor's memory, or two.
cdef class TaskData:
    cdef public Turn tasks
    cdef public tuple unsettled
    cdef public double since
    cdef public long long steps
    cdef public double busy
    cdef public double longest
    cdef public double look_above
    cdef public object _task
    cdef public long long id
    cdef public object code
    cdef public object made
    cdef public object creator_id
    cdef public object outcome
    cdef public object given_name
    cdef public object owner_then
    cdef public bint eager
    cdef public object rare


cdef class TimerCounts:
    cdef public bint on
    cdef public long long made
    cdef public long long fired
    cdef public long long cancelled
    cdef public object ring
    cdef public dict held


@cython.locals(now=double)
cpdef note_fired(TimerCounts counts, double when, object name, object callback, TaskData setter)

cpdef note_cancelled(TimerCounts counts, double when, object name, object callback, TaskData setter)

@cython.locals(plain=bint)
cdef _note(TimerCounts counts, double when, object late, double now, object name, object callback, TaskData setter)


@cython.locals(mark=tuple)
cpdef tuple same_mark(Turn turn, object code, int offset)

cpdef enter_task(Turn turn, object task, TaskData record)

@cython.locals(kind=CoroutineKind)
cpdef end_task(Turn turn, object task, TaskData record)

@cython.locals(turn=Turn)
cpdef begin_step(TaskData record, object task, object woken_by)

@cython.locals(turn=Turn, now=double, took=double)
cpdef end_step(TaskData record, object task)


cdef class Called:
    cdef object __weakref__
    cdef readonly object _callback
    cdef readonly tuple _args
    cdef readonly object _context
    cdef readonly object _loop
    cdef readonly bint _cancelled


cpdef stand_in(Called called, object callback, tuple args, object context, object loop)


@cython.final
cdef class TimedStep(Called):
    cdef readonly object task

    @cython.locals(record=TaskData, args=tuple)
    cpdef _run(self)


@cython.locals(step=TimedStep)
cpdef TimedStep timed_step(object task, object callback, tuple args, object context, object loop)
