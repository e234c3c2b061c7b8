"""Waiting for a condition with a deadline, never for a guessed time."""

import time


class TimedOut(AssertionError):
    """What was awaited did not come to be."""


def wait_for(condition, seconds, what, interval=0.02):
    """Calls `condition` until it answers something true, which is returned; TimedOut after `seconds`.

    `what` says what is awaited: a sentence, or a function that makes one when it is needed.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            sentence = what() if callable(what) else what
            raise TimedOut(f"not within {seconds} s: {sentence}")
        time.sleep(interval)
