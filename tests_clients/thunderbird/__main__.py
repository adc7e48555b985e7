"""`python -m tests_clients.thunderbird`: drive Thunderbird and print a line for each step."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests_clients.thunderbird.drive import drive
from tests_clients.world import AbsentError, FailedError


def main() -> int:
    """Drive; 1 when a step failed or something is not installed."""
    parser = argparse.ArgumentParser(prog="python -m tests_clients.thunderbird", description=__doc__)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="take a picture of the week at the end")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run")
    words = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kalends-thunderbird-"))
    try:
        for line in drive(folder, words.picture and words.picture.resolve()):
            print(f"pass  {line}", flush=True)
    except AbsentError as error:
        print(f"ABSENT {error}")
        return 1
    except FailedError as error:
        print(f"FAIL  {error}")
        return 1
    finally:
        if not words.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
