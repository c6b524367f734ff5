"""The vigil over a loop that has little to do, to see whether its thread is where a loop sleeps.

To send a beat through a loop that sleeps is to wake it, twenty times a second. Linux says of each thread in which
system call it is; so while a loop is quiet the thread that watches looks there, as often as a beat would be sent. That
wakes nobody, and needs no lock. Only if it finds the loop awake, a beat is sent: then somebody may have to wait. So no
stall can hide from this that could not hide between two beats. While the thread does something else, as when it tells
of a stall, nobody looks: then beats are sent.
"""

import os
import platform
import sys
from typing import Any

from ..native import NEEDS_NO_LOCK, Vigil
from .alarm import Alarm, KernelAlarm
from .places import MACHINERY

#: The number of the call in which libuv sleeps, ``epoll_pwait``, by the machine.
SLEEPS_IN = {"x86_64": 281, "aarch64": 22}

#: Where Linux says in which call the thread is that opens it, and with what (proc(5), ``/proc/pid/syscall``).
OF_THIS_THREAD = "/proc/thread-self/syscall"


def new_vigil(loop: Any, alarm: Alarm) -> Vigil | None:
    """Return a vigil over a loop, to be kept with an alarm; None where there can be none."""
    epoll = getattr(loop, "_get_backend_id", None)  # which is uvloop's
    call = SLEEPS_IN.get(platform.machine()) if sys.platform == "linux" else None
    if epoll is None or call is None or not isinstance(alarm, KernelAlarm) or not NEEDS_NO_LOCK:
        return None
    try:
        bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    except (OSError, AttributeError):  # no descriptors left, or a C library without them
        return None
    return Vigil(alarm.timer, bell, b"%d 0x%x " % (call, epoll()))


MACHINERY.add(id(globals()))
