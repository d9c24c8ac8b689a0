"""Which roles have a policy that cloudsplaining cannot read: `{role: error}`, from lines of `{"role", "documents"}`."""

import contextlib
import io
import json
import sys

from cloudsplaining.scan.policy_document import PolicyDocument


def error_of(documents):
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            for document in documents:
                _ = PolicyDocument(document).service_wildcard
    except Exception as problem:  # any failure of the tool is a result of the comparison
        return f"{type(problem).__name__}: {problem}"
    return None


errors = {}
for line in sys.stdin:
    asked = json.loads(line)
    error = error_of(asked["documents"])
    if error:
        errors[asked["role"]] = error
print(json.dumps(errors))
