"""Runs several scripts in one process, each as if it had been started alone, so that PyTorch is imported once.

    python run_scripts.py '[["FIRST.py", "argument"], ["SECOND.py"]]'

Prints, as JSON, what each of them printed.
"""

import contextlib
import io
import json
import runpy
import sys
from pathlib import Path

# What PyTorch begins with.
SEED = 67280421310721


def forget_modules(folder: Path) -> None:
    """Modules beside a script hold what that script has set in them."""
    for name, module in list(sys.modules.items()):
        if name != "__main__" and Path(getattr(module, "__file__", None) or "/").parent == folder:
            del sys.modules[name]


printed = []
for script, *arguments in json.loads(sys.argv[1]):
    folder = Path(script).resolve().parent
    sys.argv = [script, *arguments]
    sys.path[0] = str(folder)
    forget_modules(folder)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(SEED)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_path(script, run_name="__main__")
    printed.append(out.getvalue())
print(json.dumps(printed))
