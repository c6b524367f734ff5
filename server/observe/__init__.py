"""What a loop does, told by the loop itself.

A reader's map, in the order the data flows; nothing flows back:

    loop.py, uv.py     the two observed loops: every hook is here, and only hooks
      → scheduling.py    how they make a task, and queue what is to be called next
        steps.py          the task of such a loop
        timing.py         what is noted of each of its steps
        uv_steps.py       how a uvloop loop queues what is to be called next, and times the steps
        uv_timers.py      its timers
        → tasks.py         all tasks       task_record.py  one of them      waiting.py  where it waits
        → cancellations.py each cancellation's life-line
      → timers.py        each call_later and call_at
      → turning.py       one turn of an asyncio loop, in fewer calls
        ticking.py        what is noted of each
        ticks.py          each turn of the loop, and who is registered (asyncio only)
        selecting.py      the selector it waits with, in fewer calls
      → complaints.py    what asyncio complains about, or would in debug mode
      → stalls.py        what blocks the loop, while it does
        beating.py        how late a timer comes, where turns cannot be seen (uvloop only)
        vigil.py          whether a loop that is quiet sleeps, seen from outside (uvloop only)
        alarm.py          what wakes the thread that looks
        core_time.py      what the loop's own thread did meanwhile
        own_file.py       what both read, kept open
    observation.py     holds these instruments, and hands what matters to the journal
    events.py          what the journal is told
    places.py          (code, offset) pairs now, file and line when somebody looks

The records are also for whoever uses the loop by itself, without servers or a screen: some of what they hold
(`Tasks.unobserved`, `Timers.past`, …) nothing else in here reads.

Live records are changed in place and read by whoever looks. What happens per step, timer or tick changes records only;
what is rare becomes an event. Whatever an instrument raises switches that instrument off, never what it watches.
"""
