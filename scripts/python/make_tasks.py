"""Writes small models of random weights for tasks, with all that lies beside them, and prints what transformers' pipeline answers.

    python make_tasks.py TARGET TASK...
"""

import importlib
import sys
from pathlib import Path

from tasks.kit import main

for task in sys.argv[2:]:
    importlib.import_module(f"tasks.{task.replace('-', '_')}")
main(Path(sys.argv[1]), sys.argv[2:])
