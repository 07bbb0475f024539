"""Whoever started this process: how they name the model, and when they want it to end."""

import os
import signal
import threading
import time
from contextlib import suppress

MODEL = "FRAMELOOM_MODEL"
"""Where the model is that programs use which name none: `frameloom serve` says so by it."""
_END_WITH_STDIN = "FRAMELOOM_END_WITH_STDIN"
_STDIN = 0
# How long an orderly end may take.
_END_S = 1.0


def end_with_stdin() -> None:
    """End this process when its stdin does, if it is asked to.

    `frameloom serve` asks for it. A server that is killed can't end what it has started.
    """
    if os.environ.get(_END_WITH_STDIN) == "1":
        threading.Thread(target=_wait_for_stdin, name="stdin", daemon=True).start()


def _wait_for_stdin() -> None:
    with suppress(OSError):
        while os.read(_STDIN, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    # The model may hang.
    time.sleep(_END_S)
    os._exit(1)
