"""Garbage collections that do not make every server wait.

A collection stops the loop for as long as it takes to look at every container of its generation. With Textual in
memory and 5,000 connections that was a tenth of a second for a full one, several times in ten seconds: each message
replaces objects of its connection by others that live as long, and what is young and lives counts as a reason for the
next full collection, though nothing has grown.

So it is while the program starts: nearly all that is loaded stays, and to look for garbage in it again and again takes
a tenth of the time until the first frame.
"""

import gc

#: How many containers more than before, how many collections of the young, and how many of the middle-aged lead to the
#: next collection: the young, the middle-aged, all. Python's own numbers begin with 700, 10, 10.
THRESHOLDS = (5_000, 10, 50)


def collect_less() -> None:
    """Collect less often, from now on."""
    gc.set_threshold(*THRESHOLDS)


def settle() -> None:
    """Let what is there now be as it is for good."""
    gc.freeze()
