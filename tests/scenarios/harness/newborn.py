"""Catches a process that a running one starts, at the moment when it has confined itself."""

import ctypes
import os
import signal
from contextlib import contextmanager

from harness import proc
from harness.debugger import (CONT, DETACH, GETEVENTMSG, NEW_PROCESS_EVENTS, O_TRACEEXEC, O_TRACEFORK, SEIZE,
                              SYSCALL, WALL, Debugger, Gone, ptrace)

_EVENT_EXEC = 4
_SYSCALL_STOP = signal.SIGTRAP | 0x80
_O_TRACESYSGOOD = 0x1
_MOST_STOPS = 20_000


def _wait(pid):
    """(event, signal) of the next stop."""
    _, status = os.waitpid(pid, WALL)
    if not os.WIFSTOPPED(status):
        raise Gone(f"process {pid} ended: status {status:#x}")
    return status >> 16, os.WSTOPSIG(status)


def _child_of(parent, provoke):
    """The process that `parent` forks when `provoke` is called; it stands still before its first step."""
    ptrace(SEIZE, parent, 0, O_TRACEFORK | O_TRACEEXEC | _O_TRACESYSGOOD)
    provoke()
    while True:
        event, number = _wait(parent)
        if event in NEW_PROCESS_EVENTS:
            born = ctypes.c_ulong()
            ptrace(GETEVENTMSG, parent, 0, ctypes.addressof(born))
            ptrace(DETACH, parent)
            _wait(born.value)
            return born.value
        ptrace(CONT, parent, 0, 0 if event else number)


def _filters(pid):
    return int(proc.status(pid)["Seccomp_filters"])


@contextmanager
def caught_confined(parent, provoke):
    """The debugger of the child that `provoke` makes `parent` start, once it has put its own filter on."""
    inherited = _filters(parent)
    pid = _child_of(parent, provoke)
    executed = False
    resume = 0
    for _ in range(_MOST_STOPS):
        ptrace(SYSCALL, pid, 0, resume)
        event, number = _wait(pid)
        executed = executed or event == _EVENT_EXEC
        resume = 0 if event or number in (_SYSCALL_STOP, signal.SIGTRAP) else number
        if executed and number == _SYSCALL_STOP and _filters(pid) > inherited:
            break
    else:
        raise AssertionError(f"process {pid} made {_MOST_STOPS} stops and put no filter on")
    debugger = Debugger(pid).adopt()
    try:
        yield debugger
    finally:
        debugger.release()
        ptrace(DETACH, pid)
