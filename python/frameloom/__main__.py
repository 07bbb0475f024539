"""The command line: `python -m frameloom` and the `frameloom` script."""

import signal
import sys

from ._frameloom import command_line


def main() -> None:
    """Run the command line with the process's arguments."""
    # The program has handlers of its own; Python's would raise when it has ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(command_line(sys.argv))


if __name__ == "__main__":
    main()
