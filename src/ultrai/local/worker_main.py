"""The process that holds one embedded model: started by `worker`, as a script, never imported.

Theory of operation. The parent writes one line of JSON to standard input (where the weights are,
what to be called, the key to ask for) and keeps the pipe open. This process loads the model,
serves it over HTTP on loopback, and answers with one line: `{"address": …}` or `{"error": …}`.
Then it waits for the pipe to close, which also happens when the parent dies of whatever cause,
and ends at once. llama.cpp writes to the standard descriptors as it likes, so those lead nowhere
and the answer travels on a copy of standard output made before.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    """Serve until standard input closes. Never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to act upon
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    server = None
    try:
        server = load(json.loads(sys.stdin.readline()))
        answer = {"address": server.listening_address}
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        answer = {"error": str(error) or type(error).__name__}
    os.write(answers, json.dumps(answer).encode() + b"\n")
    os.close(answers)
    if server is not None:
        sys.stdin.read()
    # No destructors: leaving while llama.cpp computes would crash or wait for its connections.
    os._exit(0)


def load(job: dict[str, Any]) -> Any:
    """A running server for `job`: path, alias, api_key, context_tokens, threads."""
    xllamacpp = importlib.import_module("xllamacpp")  # large, and only this process needs it
    parameters = xllamacpp.CommonParams()
    parameters.model.path = job["path"]
    parameters.model_alias = {job["alias"]}
    parameters.api_keys = [job["api_key"]]
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = job["context_tokens"]
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = job["threads"]
    parameters.cpuparams_batch.n_threads = job["threads"]
    parameters.cache_ram_mib = 0
    parameters.fit_params = False  # a trial load to measure memory: it would double the time
    parameters.warmup = False
    parameters.ui = False
    parameters.verbosity = -1
    return xllamacpp.Server(parameters)


if __name__ == "__main__":
    main()
