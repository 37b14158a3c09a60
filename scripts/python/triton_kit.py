"""What the scripts that drive a server with tritonclient share."""

from check_kit import check
from tritonclient.utils import InferenceServerException


def rejected(call, words):
    try:
        call()
    except InferenceServerException as error:
        check(words in str(error), str(error))
    else:
        raise AssertionError("it was not rejected")
