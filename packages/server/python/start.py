"""The entry of a Python worker: `python start.py`, with the socket of the server process as file descriptor 3."""

import sys
from pathlib import Path

if __name__ == "__main__":
    from sconce_worker.serve import serve

    # A model's own modules come first; ours need no search any more.
    sys.path[:] = [path for path in sys.path if Path(path) != Path(__file__).parent]
    serve()
