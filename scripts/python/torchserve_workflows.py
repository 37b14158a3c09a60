"""Workflow archives, packed as torch-workflow-archiver packs them, the archives of their models, and one of a handler that knows sequences."""

import json
import os

from archive_kit import CREATED, write_archive, write_zip

UPPER = '''
import json

def text_of(value):
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, dict) else bytes(value).decode()

def handle(data, context):
    if data is None:
        return None
    return [text_of(row.get("data") or row.get("body")).upper() for row in data]
'''

COUNT = '''
def handle(data, context):
    if data is None:
        return None
    rows = [bytes(row["body"]).decode() for row in data]
    return [{"letters": len(row), "custom": context.get_request_header(index, "x-custom")} for index, row in enumerate(rows)]
'''

FUNCTIONS = '''
import json
from ts.utils.util import PredictionException

def text_of(value):
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, (dict, list)) else bytes(value).decode()

def prepare(data, context):
    if data is None:
        return None
    return [answer(text_of(row.get("data") or row.get("body"))) for row in data]

def answer(text):
    if text == "raise":
        raise ValueError("no")
    if text == "refuse":
        raise PredictionException("no such thing", 404)
    if text == "bytes":
        return b"\\xff\\x00"
    return text.strip()

def finish(data, context):
    if data is None:
        return None
    return [{"finished": text_of(row["body"]), "types": {name: type(value).__name__ for name, value in row.items()}} for row in data]

def join(data, context):
    if data is None:
        return None
    return [{name: text_of(value) for name, value in sorted(row.items())} for row in data]

def sign(data, context):
    if data is None:
        return None
    return [text_of(row["body"]) + "!" for row in data]
'''

# Numbers the requests of each sequence.
POSITIONS = '''
seen = {}

def handle(data, context):
    if data is None:
        return None
    answers = []
    for index in range(len(data)):
        sequence = context.get_sequence_id(index)
        seen[sequence] = seen.get(sequence, 0) + 1
        answers.append({"position": seen[sequence], "together": len(data)})
    return answers
'''

SEQUENCES = """
minWorkers: 1
maxWorkers: 1
batchSize: 2
maxBatchDelay: 10
sequenceBatching: true
sequenceMaxIdleMSec: 600000
maxNumSequence: 3
maxSequenceJobQueueSize: 2
"""

LINE = """
models:
    min-workers: 1
    max-workers: 1
    batch-size: 2
    max-batch-delay: 10
    retry-attempts: 0
    timeout-ms: 15000
    upper:
        url: upper.mar
dag:
    upper: [finish]
"""

ALONE = """
models:
    retry-attempts: 0
    timeout-ms: 15000
dag:
    prepare: []
"""

FORK = """
models:
    retry-attempts: 0
    timeout-ms: 15000
    count:
        url: count.mar
        batch-size: 1
dag:
    prepare: [count, sign]
    count: [join]
    sign: [join, finish]
"""

SPECS = {
    "line": LINE,
    "fork": FORK,
    "alone": ALONE,
    "loop": ALONE.replace("[]", "[sign]") + "    sign: [finish]\n    finish: [sign]\n",
    "twice": ALONE.replace("[]", "[sign, sign]"),
    "two_starts": ALONE.replace("[]", "[sign]") + "    finish: [sign]\n",
    "no_model": "models:\n    absent:\n        url: absent.mar\ndag:\n    absent: []\n",
    "no_function": ALONE.replace("prepare", "nowhere"),
}


def pack_workflows(folder):
    for name, handler in (("upper", UPPER), ("count", COUNT)):
        described = {"modelName": name, "modelVersion": "1.0", "handler": f"{name}.py"}
        write_archive(os.path.join(folder, f"{name}.mar"), {f"{name}.py": handler}, described)
    described = {"modelName": "positions", "modelVersion": "1.0", "handler": "positions.py", "configFile": "model-config.yaml"}
    write_archive(os.path.join(folder, "positions.mar"), {"positions.py": POSITIONS, "model-config.yaml": SEQUENCES}, described)
    for name, spec in SPECS.items():
        described = {"workflowName": name, "specFile": "spec.yaml", "handler": "functions.py"}
        manifest = {"createdOn": CREATED, "workflow": described, "archiverVersion": "0.2.15"}
        files = {"spec.yaml": spec, "functions.py": FUNCTIONS, "WAR-INF/MANIFEST.json": json.dumps(manifest, indent=2)}
        write_zip(os.path.join(folder, f"{name}.war"), files)


if __name__ == "__main__":
    import sys

    os.makedirs(sys.argv[1], exist_ok=True)
    pack_workflows(sys.argv[1])
