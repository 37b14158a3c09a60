"""What the scripts that drive a server with tritonclient share."""

import json

from tritonclient.utils import InferenceServerException


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def rejected(call, words):
    try:
        call()
    except InferenceServerException as error:
        check(words in str(error), str(error))
    else:
        raise AssertionError("it was not rejected")


def report(cases):
    """Runs each case and prints one line of JSON: how many there were, and what went wrong by case."""
    wrong = {}
    for name, case in cases.items():
        try:
            case()
        except Exception as error:  # noqa: BLE001 every failure is a finding
            wrong[name] = f"{type(error).__name__}: {error}"
    print(json.dumps({"cases": len(cases), "wrong": wrong}))
