"""Processes that work for another one."""

import os
import threading


def end_with_parent():
    """In a process that was started with `stdin=PIPE`: ends with its starter.

    The starter never writes. The pipe ends when that process does, even by
    `kill -9`, and then this one ends at once.
    """

    def watch():
        # (Not `sys.stdin.read`: its lock would be held at the end of Python.)
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
