"""What the scripts that drive a server case by case share. It imports nothing that comes with a client."""

import json


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def report(cases):
    """Runs each case and prints one line of JSON: how many there were, and what went wrong by case."""
    wrong = {}
    for name, case in cases.items():
        try:
            case()
        except Exception as error:  # noqa: BLE001 every failure is a finding
            wrong[name] = f"{type(error).__name__}: {error}"
    print(json.dumps({"cases": len(cases), "wrong": wrong}))
