"""One call of one contender to a server that misbehaves: `meet.py CONTENDER ACTION URL KEY OPTIONS`.

Prints what came of it as JSON. Whatever a user could log or print of an error is searched for the key.
"""

import json
import logging
import resource
import sys
import time
import traceback

BASES = {
    "nexusai": "APIError",
    "keystone-ai": "APIError",
    "openai": "OpenAIError",
    "anthropic": "AnthropicError",
}


def main():
    contender, action, url, key, options = sys.argv[1:]
    sdk = __import__("use_" + contender.replace("-", "_"))
    report = {"text": "", "error": "", "sdk_error": False, "leaked": False}
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    package = __import__(sdk.PACKAGE)
    client = sdk.connect(url, key, **json.loads(options))
    if action == "second":
        sdk.ask(client)  # what the first call imports is no part of what the second one needs
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    try:
        if action in ("ask", "second"):
            report["text"] = sdk.ask(client)
        elif action == "leave":
            for _ in sdk.pieces(client):
                break
        else:
            for piece in sdk.pieces(client):
                report["text"] += piece
    except Exception as error:
        base = getattr(package, BASES[contender], None)
        if base is None:
            base = getattr(__import__(sdk.PACKAGE + ".error", fromlist=["error"]), BASES[contender])
        told = traceback.TracebackException.from_exception(error)
        lines += [str(error), repr(error), repr(error.args), "".join(told.format())]
        report.update(error=type(error).__name__, message=str(error)[:200], sdk_error=isinstance(error, base))
    report["seconds"] = time.perf_counter() - began
    report["megabytes"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    report["leaked"] = any(key in line for line in lines)
    print(json.dumps(report))


main()
