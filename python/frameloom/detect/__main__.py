"""The COMMAND: `frameloom -i IN OUT -- python3 -m frameloom.detect MODEL.onnx`."""

import sys

from ._program import main

if __name__ == "__main__":
    sys.exit(main())
