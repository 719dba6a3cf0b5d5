"""Mutation testing of file source and ledger: a seeded sample of small faults, each of which a test has to notice.

Works in a copy of the tree, by one process of the lowest priority. `mutmut` makes the faults and runs, for each, the
tests that reach the changed function. The sample is drawn from every module by its share, 3 at least. The random walks
and the kill tests are left out: they would notice more, but cost minutes a fault.

Usage: pip install 'mutmut>=3.8'
       python benches/mutants.py [--sample 250] [--seed 5] [--only '*/_scan.py' ...] [--keep DIRECTORY]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
LEAST = 3
"""Mutants of a module, however small it is."""
ANY_MUTANT = "monitor.ledger.seals.x_seal__mutmut_1"
MESSAGES = ("_inbox", "_journal*", "_kafka*", "_nats*", "_receiving", "_syslog*", "_topics", "_udp", "_wake",
            "journald", "kafka", "mqtt", "nats", "syslog_net")  # fmt: skip
"""The sources that are not of files."""
SLOW = ("walk", "kill", "kernel")
UNNOTICED = (0, 5, 33)
"""What mutmut writes of a mutant that the tests passed, and of one that no test reaches."""
SETTINGS = """[mutmut]
source_paths=monitor
only_mutate=
    monitor/sources/*.py
    monitor/ledger/*.py
    monitor/core/fingerprint.py
do_not_mutate=
    {messages}
also_copy=
    benches
    config
pytest_add_cli_args=
    -p
    no:randomly
    -p
    no:cacheprovider
    -m
    not long
    --timeout
    900
pytest_add_cli_args_test_selection=
    {tests}
"""


def tests() -> list[str]:
    """The files whose tests are about source and ledger, but for the slow ones."""
    names = ("file_tail*", "stdin_source", "ledger*", "fingerprint")
    patterns = [f"unit/test_{name}.py" for name in names]
    found = [path for pattern in patterns for path in sorted((TREE / "tests").glob(pattern))]
    quick = [path for path in found if not any(path.stem.endswith(name) for name in SLOW)]
    return [str(path.relative_to(TREE)) for path in (*quick, TREE / "tests/contract/test_sources.py")]


def copied(directory: Path) -> None:
    """Everything the tests need, and the settings of mutmut."""
    for name in ("monitor", "tests", "benches", "config"):
        shutil.copytree(TREE / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TREE / "pyproject.toml", directory)
    messages = [f"monitor/sources/{name}.py" for name in MESSAGES]
    (directory / "setup.cfg").write_text(SETTINGS.format(tests=_listed(tests()), messages=_listed(messages)))


def _listed(items: list[str]) -> str:
    return "\n    ".join(items)


def mutmut(directory: Path, *arguments: str) -> str:
    """Run it in the copy; what it prints."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    done = subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"mutmut {arguments[0]} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr}")
    return done.stdout


def verdicts(directory: Path) -> dict[str, dict[str, int | None]]:
    """Of each module its mutants, and the exit code of the tests; None for one that was not tried."""
    found = {
        str(path.relative_to(directory / "mutants")).removesuffix(".meta"): json.loads(path.read_text())
        for path in sorted((directory / "mutants" / "monitor").rglob("*.py.meta"))
    }
    return {module: known["exit_code_by_key"] for module, known in found.items() if known["exit_code_by_key"]}


def sampled(modules: Mapping[str, Mapping[str, int | None]], count: int, seed: int) -> list[str]:
    """About ``count`` names, from each module by its share of all mutants."""
    chance, total = random.Random(seed), sum(map(len, modules.values()))
    shares = {module: max(LEAST, round(count * len(names) / total)) for module, names in modules.items()}
    return [
        name
        for module, names in modules.items()
        for name in chance.sample(sorted(names), min(len(names), shares[module]))
    ]


def report(directory: Path, names: list[str]) -> None:
    """A row a module, and what the survivors changed. A fault that hangs is noticed, too."""
    chosen = set(names)
    survivors: list[str] = []
    print("| module | mutants | tried | killed |\n|---|---|---|---|")
    for module, all_of_it in verdicts(directory).items():
        tried = {name: code for name, code in all_of_it.items() if name in chosen}
        survived = [name for name, code in tried.items() if code in UNNOTICED]
        survivors += survived
        print(f"| `{module}` | {len(all_of_it)} | {len(tried)} | {len(tried) - len(survived)} |")
    killed = len(names) - len(survivors)
    print(f"\n{killed} of {len(names)} killed: {100 * killed / len(names):.1f} %")
    for name in survivors:
        changes = [line for line in mutmut(directory, "show", name).splitlines() if line[:1] in "+-"]
        print("\n".join([f"\n{name}", *changes[2:]]))


def main() -> None:
    """Copy, draw, run, report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sample", type=int, default=250)
    options.add_argument("--seed", type=int, default=5)
    options.add_argument("--only", nargs="+", default=["*"], help="globs of the modules to draw from")
    options.add_argument("--keep", type=Path, help="an empty directory for the copy; it is left there")
    given = options.parse_args()
    os.nice(19)
    with tempfile.TemporaryDirectory() as temporary:
        directory = given.keep or Path(temporary)
        copied(directory)
        mutmut(directory, "run", "--max-children", "1", ANY_MUTANT)  # makes all, and finds out which tests reach them
        modules = {
            module: faults
            for module, faults in verdicts(directory).items()
            if any(fnmatch(module, pattern) for pattern in given.only)
        }
        names = sampled(modules, given.sample, given.seed)
        mutmut(directory, "run", "--max-children", "1", *names)
        report(directory, names)


if __name__ == "__main__":
    main()
