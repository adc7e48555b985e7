"""Measuring and telling: the best of several rounds, CPU seconds and wall seconds, a line a result."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class Line:
    """One result beside what it is compared with.

    Attributes:
        what: what was measured.
        ours: our figure; theirs: the peer's or the limit's.
        unit: of both; peer: whose the other figure is.
        higher_is_better: for rates; costs are better low.
        aim: the ratio that was aimed at, None where only the figure counts.
    """

    what: str
    ours: float
    theirs: float | None
    unit: str
    peer: str = ""
    higher_is_better: bool = False
    aim: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times better we are than the peer (below 1: worse)."""
        if not self.theirs or not self.ours:
            return None
        return self.ours / self.theirs if self.higher_is_better else self.theirs / self.ours

    def __str__(self) -> str:
        ours = f"{self.ours:,.1f}" if self.ours < 1000 else f"{self.ours:,.0f}"
        text = f"{self.what:<60} {ours:>10} {self.unit:<8}"
        if self.theirs is not None:
            theirs = f"{self.theirs:,.1f}" if self.theirs < 1000 else f"{self.theirs:,.0f}"
            text += f" {theirs:>10}  {self.peer:<26}"
            text += " too small to tell" if self.ratio is None else f" {self.ratio:6.2f}x"
            if self.aim is not None:
                text += f" (aim {self.aim:g}x)"
        return text


@dataclass(slots=True)
class Report:
    """Collects lines and prints each as soon as it is known."""

    lines: list[Line] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Begin a part."""
        print(f"\n{text}", flush=True)

    def add(self, line: Line) -> None:
        """Keep and print a result."""
        self.lines.append(line)
        print("  " + str(line), flush=True)

    def note(self, text: str) -> None:
        """Print something that is no figure."""
        print("    " + text, flush=True)

    def as_data(self) -> list[dict[str, object]]:
        """All results, for --json."""
        return [asdict(line) | {"ratio": line.ratio} for line in self.lines]


def micros(work: Callable[[], object], seconds: float = 0.4, rounds: int = 5) -> float:
    """CPU microseconds of one call: the best of several rounds, garbage collection off."""
    return in_turns([work], seconds, rounds)[0]


def in_turns(works: Sequence[Callable[[], object]], seconds: float = 0.4, rounds: int = 5) -> list[float]:
    """The same for several that are compared: in turns, for a machine is not as fast at all times."""
    calls: list[int] = []
    for work in works:
        work()
        began = time.perf_counter()
        work()
        once = max(time.perf_counter() - began, 1e-7)
        calls.append(max(1, int((seconds / 4 if quick() else seconds) / rounds / once)))
    best = [float("inf")] * len(works)
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for at, work in enumerate(works):
                start = time.process_time()
                for _ in range(calls[at]):
                    work()
                best[at] = min(best[at], (time.process_time() - start) / calls[at])
    finally:
        if enabled:
            gc.enable()
    return [one * 1e6 for one in best]


def cpu_of(pid: int) -> float:
    """CPU seconds a process has used so far in all its threads, to the microsecond.

    The kernel's own clock of the process: /proc counts in hundredths of a second, too coarse for a short one.
    """
    return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) gives on Linux


def memory_of(pid: int) -> int:
    """Resident octets of a process."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def quick() -> bool:
    """Whether a quick look was asked for: smaller calendars, fewer rounds."""
    return "KALENDS_BENCH_QUICK" in os.environ
