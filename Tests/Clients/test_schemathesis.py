"""openapi.yaml against the running server: every check of schemathesis, on what it makes up from the document."""

import os
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent


def test_the_server_keeps_its_contract(base_url: str, tmp_path: pathlib.Path) -> None:
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    run = subprocess.run(
        [
            program,
            "--config-file",
            FOLDER / "schemathesis" / "schemathesis.toml",
            "run",
            f"{base_url}/openapi.json",
            "--url",
            base_url,
            "--checks",
            "all",
            "--phases",
            "examples,coverage,fuzzing,stateful",
            "--max-examples",
            "40",
            "--seed",
            "5",
            "--continue-on-failure",
            "--suppress-health-check",
            "all",
            # It never ends: the live page's tests follow it.
            "--exclude-path",
            "/v1/top-items/stream",
            "--request-timeout",
            "30",
        ],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "contract", "PYTHONPATH": str(FOLDER / "schemathesis")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-20_000:]
