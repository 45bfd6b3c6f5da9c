"""A question that is not in memory, and the same for pgbench: the server's statement, with its settings."""

import os
import re
import urllib.request
from collections.abc import Callable

from servers import Server

# Each request asks something else, or the server would ask once for all clients that wait for the same response.
WRK = """
local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("seed", threads)
end
local questions = {}
function init(arguments)
  math.randomseed(seed)
  for i = 1, 20000 do
    questions[i] = wrk.format("GET", string.format("/v1/top-items?location=1&n=%d&window=PT%dM",
      math.random(5, 14), math.random(30, 629)))
  end
end
local last = 0
function request()
  last = last % #questions + 1
  return questions[last]
end
"""
PGBENCH = """\\set n random(5, 14)
\\set minutes random(30, 629)
\\set span :minutes * 60000000
"""
# Values by which the parameters are found that are to be random.
MARKS = {"47": "n", "3180000000": "span"}
QUESTION = "/v1/top-items?location=1&n=47&window=PT53M"
# As the server sets up its sessions.
SETTINGS: dict[str, str | int] = {
    "plan_cache_mode": "force_generic_plan",
    "max_parallel_workers_per_gather": 0,
    "jit": "off",
    "TimeZone": "UTC",
    "default_transaction_read_only": "on",
    "statement_timeout": "10s",
}


def wrk_script(folder: str) -> str:
    path = f"{folder}/questions.lua"
    with open(path, "w") as file:
        file.write(WRK)
    return path


def pgbench_script(serve: Callable[[dict[str, str]], Server], log_path: str, folder: str) -> tuple[str, dict[str, str]]:
    """(the script, its variables), from what PostgreSQL logs of one question."""
    start = os.path.getsize(log_path)
    server = serve({"PGOPTIONS": "-c log_min_duration_statement=0"})
    try:
        server.wait()
        port = next(iter(server.ports.values()))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{QUESTION}") as got:
            got.read()
    finally:
        server.stop()
    with open(log_path) as log:
        log.seek(start)
        text = log.read()
    found = re.search(r"execute s\d+: (WITH (?:.|\n\t)*?FROM labels(?:.|\n\t)*)\n.*DETAIL:  parameters: (.*)", text)
    assert found, f"PostgreSQL has not logged the statement: {text}"
    statement = found.group(1).replace("\n\t", "\n")
    values = dict(re.findall(r"\$(\d+) = (NULL|'[^']*')", found.group(2)))
    variables: dict[str, str] = {}

    def placed(match: re.Match[str]) -> str:
        value = values[match.group(1)]
        if value == "NULL":
            # pgbench cannot send it, and a constant would be planned for. Of this question, only times are NULL.
            variables["none"] = "none"
            return "nullif(:none, :none)::timestamptz"
        value = value.strip("'")
        if value in MARKS:
            return f":{MARKS[value]}"
        variables[f"p{match.group(1)}"] = value
        return f":p{match.group(1)}"

    path = f"{folder}/question.sql"
    with open(path, "w") as file:
        # pgbench ends a statement at a semicolon; there is none within.
        file.write(PGBENCH + re.sub(r"\$(\d+)", placed, re.sub(r"--.*", "", statement)) + ";\n")
    return path, variables
