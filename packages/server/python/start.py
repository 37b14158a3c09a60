"""The entry of a Python worker: `python start.py`, with the socket of the server process as file descriptor 3."""

import os
import sys

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    from sconce_worker.serve import serve

    # A model's own modules come first; ours are found without a search from here on.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    serve()
