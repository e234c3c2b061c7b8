"""A small debugger: stops a thread of another process and makes it do one system call.

It finds a `syscall` instruction in the code that the process has mapped, points the registers at it, steps
over it, reads the answer and puts everything back, so that the process goes on as if nothing had happened.
x86-64 only.
"""

import ctypes
import errno
import os
import signal
import struct

CONT = 7
_SINGLESTEP = 9
_GETREGS = 12
_SETREGS = 13
DETACH = 17
SYSCALL = 24
GETEVENTMSG = 0x4201
SEIZE = 0x4206
INTERRUPT = 0x4207

O_TRACEFORK = 0x2
_O_TRACEVFORK = 0x4
_O_TRACECLONE = 0x8
O_TRACEEXEC = 0x10
NEW_PROCESS_EVENTS = (1, 2, 3)

WALL = 0x40000000
_SYSCALL = b"\x0f\x05"

_REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
              "fs_base gs_base ds es fs gs").split()
_ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")

# System calls by their x86-64 numbers.
NUMBERS = {
    "read": 0, "write": 1, "open": 2, "close": 3, "dup": 32, "getpid": 39, "socket": 41, "connect": 42,
    "sendto": 44, "shutdown": 48, "bind": 49, "listen": 50, "accept4": 288, "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "chroot": 161, "ptrace": 101,
    "setuid": 105, "keyctl": 250, "openat": 257, "process_vm_readv": 310, "bpf": 321, "execveat": 322,
    "userfaultfd": 323, "io_uring_setup": 425, "clone3": 435,
}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Gone(AssertionError):
    """The process ended under the debugger: what it was made to do killed it."""


class _Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in _REGISTERS]


def ptrace(request, tid, address=0, data=0):
    answer = _libc.ptrace(request, tid, address, data)
    if answer < 0:
        number = ctypes.get_errno()
        if number == errno.ESRCH:
            raise Gone(f"thread {tid} is gone")
        raise OSError(number, f"ptrace({request:#x}, {tid}): {os.strerror(number)}")
    return answer


def _mappings(tid):
    """(start, end, rights, name) of each mapping."""
    with open(f"/proc/{tid}/maps", encoding="utf-8") as maps:
        for line in maps:
            fields = line.split(maxsplit=5)
            start, end = (int(part, 16) for part in fields[0].split("-"))
            yield start, end, fields[1], fields[5].strip() if len(fields) > 5 else ""


class Debugger:
    """Attached to one thread between `with` and its end; the thread stands still meanwhile."""

    def __init__(self, pid, tid=None):
        self.pid = pid
        self.tid = tid or pid

    def __enter__(self):
        options = O_TRACEFORK | _O_TRACEVFORK | _O_TRACECLONE | O_TRACEEXEC
        ptrace(SEIZE, self.tid, 0, options)
        ptrace(INTERRUPT, self.tid)
        self._wait()
        return self.adopt()

    def adopt(self):
        """For a thread that is attached to and stands still already."""
        self._memory = open(f"/proc/{self.pid}/mem", "r+b", buffering=0)
        self._saved = self._get_registers()
        self._instruction, self._scratch = self._find_places()
        return self

    def __exit__(self, kind, *_):
        self.release()
        if kind is not Gone:
            ptrace(DETACH, self.tid)

    def release(self):
        """The end of adopt(): the thread stays attached."""
        self._memory.close()

    def call(self, name, *arguments):
        """Does the system call in the process. Bytes are put into its memory first and passed as pointers.

        Answers what the kernel answered: a value, or a negative errno.
        """
        values, data = [], b""
        for argument in arguments:
            if isinstance(argument, bytes):
                values.append(self._scratch + len(data))
                data += argument + bytes(16 - len(argument) % 16)
            else:
                values.append(argument & 0xFFFFFFFFFFFFFFFF)
        kept = self._peek(self._scratch, len(data))
        self._poke(self._scratch, data)
        registers = _Registers.from_buffer_copy(self._saved)
        registers.rax = NUMBERS[name]
        registers.orig_rax = 0xFFFFFFFFFFFFFFFF  # the call that the attaching interrupted is not begun again
        registers.rip = self._instruction
        for register, value in zip(_ARGUMENTS, values):
            setattr(registers, register, value)
        self._set_registers(registers)
        self._step()
        answer = ctypes.c_longlong(self._get_registers().rax).value
        self._set_registers(self._saved)
        self._poke(self._scratch, kept)
        return answer

    # --- how ----------------------------------------------------------------------------------------------

    def _wait(self):
        pid, status = os.waitpid(self.tid, WALL)
        if not os.WIFSTOPPED(status):
            how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {status >> 8}"
            raise Gone(f"process {self.pid} (thread {pid}) ended by {how}")
        return status

    def _step(self):
        """Over the one instruction. A process that it made is killed before it does anything."""
        while True:
            ptrace(_SINGLESTEP, self.tid)
            status = self._wait()
            event = status >> 16
            if event in NEW_PROCESS_EVENTS:
                self._kill_new_process()
            elif os.WSTOPSIG(status) == signal.SIGTRAP:
                return

    def _kill_new_process(self):
        born = ctypes.c_ulong()
        ptrace(GETEVENTMSG, self.tid, 0, ctypes.addressof(born))
        os.kill(born.value, signal.SIGKILL)
        os.waitpid(born.value, WALL)

    def _find_places(self):
        """A syscall instruction, and some memory of the main stack far from its top."""
        instruction = scratch = None
        for start, end, rights, name in _mappings(self.pid):
            if name == "[stack]":
                scratch = start
            if instruction is None and rights.startswith("r-x") and not name.startswith("[vsyscall"):
                found = self._peek(start, end - start).find(_SYSCALL)
                if found >= 0:
                    instruction = start + found
        if instruction is None or scratch is None:
            raise RuntimeError(f"process {self.pid} has no syscall instruction or no stack mapped")
        return instruction, scratch

    def _peek(self, address, size):
        self._memory.seek(address)
        data = b""
        while len(data) < size:
            piece = self._memory.read(size - len(data))
            if not piece:
                raise OSError(errno.EIO, f"reading {size} octets at {address:#x}")
            data += piece
        return data

    def _poke(self, address, data):
        if data:
            self._memory.seek(address)
            self._memory.write(data)

    def _get_registers(self):
        registers = _Registers()
        ptrace(_GETREGS, self.tid, 0, ctypes.addressof(registers))
        return registers

    def _set_registers(self, registers):
        ptrace(_SETREGS, self.tid, 0, ctypes.addressof(registers))


def sockaddr_in(address, port):
    """A struct sockaddr_in."""
    return struct.pack("=HH4s8x", 2, int.from_bytes(struct.pack(">H", port), "little"),
                       bytes(int(part) for part in address.split(".")))


def meaning(answer):
    """"-1 EPERM" for -1, "7" for 7."""
    return f"{answer} {errno.errorcode.get(-answer, '?')}" if answer < 0 else str(answer)
