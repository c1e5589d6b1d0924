"""Real calls while everything around them dies; exit status 0 only if every call was told rightly, once.

    python -m tests.chaos [--seed 1] [--calls 150] [--faults 11] [--mode journal|ami] [--work DIRECTORY]

A table, then one JSON object with the figures.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from tests.chaos.run import CALLS_PER_SECOND, Options, Result, run, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=150)
    parser.add_argument("--faults", type=int, default=0, help="how many; else as many as the calls suggest")
    parser.add_argument("--mode", choices=("journal", "ami"), default="journal")
    parser.add_argument("--rate", type=float, default=CALLS_PER_SECOND, help="calls a second")
    parser.add_argument("--broken", default="", help="a safeguard to run without: see tests/chaos/broken.py")
    parser.add_argument("--work", type=Path, help="leave every log there")
    asked = parser.parse_args()
    options = Options(
        seed=asked.seed,
        calls=asked.calls,
        faults=asked.faults or max(11, asked.calls * 33 // 1000),
        journal=asked.mode == "journal",
        calls_per_second=asked.rate,
        broken=asked.broken,
        work=asked.work,
    )
    result = asyncio.run(_until_told_to_stop(options))
    print(table(result))
    print(json.dumps(result.figures()))
    return 0 if result.right else 1


async def _until_told_to_stop(options: Options) -> Result:
    """SIGTERM ends it as Ctrl-C does: what was mounted and started goes."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(options)


if __name__ == "__main__":
    sys.exit(main())
