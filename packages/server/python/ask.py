"""`python ask.py export`, `python ask.py values`: a request as JSON on standard input, what came of it as JSON on standard output."""

import importlib
import json
import os
import sys

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    # What the model's own code prints is no answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    module = importlib.import_module(f"sconce_worker.{sys.argv[1]}")
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    json.dump(module.answer(request), answers)
    answers.close()
