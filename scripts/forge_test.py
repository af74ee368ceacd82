"""Runs the contract tests and fails if there were none, or if gas is not what is committed: forge exits with 0 then."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUMMARY = re.compile(r"(\d+) tests passed, (\d+) failed, (\d+) skipped")
GAS = ROOT / "snapshots" / "gas.json"
MEASURED_GAS = ROOT / "out" / "gas" / "gas.json"


def run(*args: str) -> int:
    """Exit code of forge, or 1 where it ran no test or skipped one."""
    forge = ROOT / "node_modules" / ".bin" / "forge"
    MEASURED_GAS.unlink(missing_ok=True)
    command = [str(forge), "test", "--force", "--color", "never", *args]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        totals: tuple[int, int, int] | None = None
        for line in process.stdout:
            print(line, end="", flush=True)
            if found := SUMMARY.search(line):
                passed, failed, skipped = map(int, found.groups())
                totals = passed, failed, skipped
    if process.returncode:
        return process.returncode
    if totals is None or totals[0] == 0 or totals[2] > 0:
        print("contract tests: none ran, or some were skipped", file=sys.stderr)
        return 1
    return 0


def gas_changes() -> list[str]:
    """How the gas that the last whole run measured differs from what is committed."""
    committed, measured = figures(GAS), figures(MEASURED_GAS)
    names = sorted(committed.keys() | measured.keys())
    pairs = ((name, committed.get(name), measured.get(name)) for name in names)
    return [f"{name}: {before} -> {after}" for name, before, after in pairs if before != after]


def figures(path: Path) -> dict[str, int]:
    """Gas by kind of transaction; empty where there is no such file."""
    if not path.is_file():
        return {}
    return {name: int(gas) for name, gas in json.loads(path.read_text()).items()}


def main() -> int:
    """Runs all tests, or those that the arguments of forge select; gas is compared only after all of them."""
    args = sys.argv[1:]
    if code := run(*args):
        return code
    changes = [] if args else gas_changes()
    for change in changes:
        print(f"gas changed: {change}", file=sys.stderr)
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
