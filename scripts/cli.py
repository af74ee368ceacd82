"""`kizuna JOB`: every job of this folder, and the two agents, under one command."""

from __future__ import annotations

import sys
from importlib import import_module

from kizuna.interrupts import quiet

JOBS = {
    "demo": ("scripts.demo", "The whole protocol on this machine, with its promises checked."),
    "devnet": ("scripts.devnet", "A throw-away chain with the contracts on it."),
    "deploy": ("scripts.deploy", "Deploy the contracts to a chain."),
    "publish": ("scripts.publish", "Publish a task."),
    "train": ("trainer.__main__", "Take part as a trainer."),
    "verify": ("verifier.__main__", "Take part as a verifier."),
    "mirror": ("scripts.mirror", "Hold and serve content for tasks."),
    "status": ("scripts.status", "Show where a task stands."),
}


def app() -> None:
    """Runs the job that the command line names. Only that one is imported: most need no torch, which takes seconds."""
    quiet()
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help", "help"):
        help_text()
        return
    name = sys.argv[1]
    if name not in JOBS:
        print(f"kizuna: there is no job {name!r}; there are: {', '.join(JOBS)}", file=sys.stderr)
        sys.exit(2)
    sys.argv = [f"kizuna {name}", *sys.argv[2:]]
    from kizuna.command import main

    main(getattr(import_module(JOBS[name][0]), name))


def help_text() -> None:
    """The jobs, a line each."""
    print("Usage: kizuna JOB [OPTIONS]     kizuna JOB --help teaches a job\n")
    for name, (_, text) in JOBS.items():
        print(f"  {name:<10}{text}")


if __name__ == "__main__":
    app()
