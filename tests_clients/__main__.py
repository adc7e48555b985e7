"""`python -m tests_clients [NAME …]`: run apps against Kalends and print a line for each."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests_clients import calcurse, curl, evolution, python_caldav, server_tester, tsdav, vdirsyncer_khal
from tests_clients.thunderbird import drive as thunderbird
from tests_clients.world import AbsentError, FailedError

RUNS: dict[str, Callable[[Path], str]] = {
    "curl": curl.run,
    "vdirsyncer-khal": vdirsyncer_khal.run,
    "calcurse": calcurse.run,
    "tsdav": tsdav.run,
    "evolution": evolution.run,
    "caldav-server-tester": server_tester.run,
    "python-caldav": python_caldav.run,
    "thunderbird": thunderbird.run,
}


def main() -> int:
    """Run them; 1 when one failed or is not installed."""
    parser = argparse.ArgumentParser(prog="python -m tests_clients", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], metavar="NAME", help=", ".join(RUNS))
    parser.add_argument("--keep", action="store_true", help="keep the folders of the runs")
    words = parser.parse_args()
    failed = 0
    for name in words.names or RUNS:
        began = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix=f"kalends-{name}-"))
        try:
            verdict, told = "pass", RUNS[name](folder)
        except AbsentError as error:
            verdict, told = "ABSENT", str(error)
        except FailedError as error:
            verdict, told = "FAIL", str(error)
        except Exception:
            verdict, told = "FAIL", traceback.format_exc()
        if words.keep:
            told += f" [{folder}]"
        else:
            shutil.rmtree(folder)
        failed += verdict != "pass"
        print(f"{verdict}  {name}: {told} ({time.monotonic() - began:.0f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
