"""``tinymed bench``, ``tinymed verify`` and ``tinymed kernels``: options, and what they start."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from tinymed.bench import text
from tinymed.bench.added import load_added
from tinymed.bench.machine import cores, machine
from tinymed.bench.page import page
from tinymed.bench.peers import PEERS, chosen
from tinymed.bench.record import Record, slower
from tinymed.bench.verify import verdicts
from tinymed.bench.warm import warm
from tinymed.bench.worker import Request, measure
from tinymed.kernels import KERNELS, explain
from tinymed.kernels.registry import table

__all__ = ["add_bench", "add_kernels", "add_verify", "selected"]

WORKLOADS = "workloads"


def add_bench(command: argparse.ArgumentParser) -> None:
    """Add the options of ``tinymed bench``."""
    add = command.add_argument
    add("kernels", nargs="*", metavar="KERNEL", help=f"conv.forward, conv, {WORKLOADS} (all)")
    add("--only", default="", metavar="WORDS", help="only cases that contain all of these words")
    add("--peers", default="", metavar="NAMES", help=f"to compare with: {','.join(PEERS)}")
    add("--threads", metavar="N,N", help=f"one run for each (default {cores()})")
    add("--repeats", type=int, default=30, metavar="N", help="measurements of each (default 30)")
    add("--add", type=Path, metavar="FILE", help="a Python file with a kernel of your own")
    add("--cold", action="store_true", help="also time first calls, compiling in a new process")
    add("--scaling", action="store_true", help="also how time grows with batch, channels, length")
    add("--json", type=Path, metavar="FILE", help="write the record here")
    add("--from", type=Path, dest="record", metavar="FILE", help="show a record; measure nothing")
    add("--compare", type=Path, metavar="FILE", help="status 1 if rows are slower than in a record")
    add("--html", type=Path, metavar="FILE", help="write a page with pictures")
    add("--readme", type=Path, metavar="FILE", help="rewrite the table between its markers")
    command.set_defaults(run=bench)


def add_verify(command: argparse.ArgumentParser) -> None:
    """Add the options of ``tinymed verify``."""
    command.add_argument("kernels", nargs="*", metavar="KERNEL", help="conv.forward, conv (all)")
    command.add_argument("--add", type=Path, metavar="FILE", help="a file with a kernel of yours")
    command.set_defaults(run=verify)


def add_kernels(command: argparse.ArgumentParser) -> None:
    """Add the options of ``tinymed kernels``."""
    command.add_argument("what", nargs="?", choices=("list", "warm"), default="list")
    command.add_argument("kernels", nargs="*", metavar="KERNEL", help="conv.forward, conv (all)")
    command.add_argument("--float64", action="store_true", help="warm: compile for float64 too")
    command.set_defaults(run=kernels)


def selected(names: Sequence[str], command: str) -> list[str]:
    """Return the kernels that names stand for: a kernel, an operation, none for all.

    Raises
    ------
    LookupError
        If a name is neither.
    """
    found: dict[str, None] = {}
    for name in names or sorted(KERNELS):
        own = [kernel for kernel in sorted(KERNELS) if name in (kernel, kernel.partition(".")[0])]
        if not own:
            raise LookupError(
                f"{command}: no kernel {name!r}; there are {', '.join(sorted(KERNELS))}"
            )
        found |= dict.fromkeys(own)
    return list(found)


def bench(options: argparse.Namespace) -> None:
    """``tinymed bench``: measure or read, then show, write and compare."""
    earlier = None if options.compare is None else Record.read(options.compare)
    record = _measured(options) if options.record is None else Record.read(options.record)
    if options.record is not None:
        _show(record)
    for line in (*text.curve_lines(record.curves), *text.means(record.rows)):
        print(line)
    if options.json is not None:
        record.write(options.json)
    if options.html is not None:
        options.html.write_text(page(record))
    if options.readme is not None:
        text.update_readme(options.readme, record)
    if earlier is not None:
        _compare(record, earlier, options.compare)


def _measured(options: argparse.Namespace) -> Record:
    """Return a new record, its rows printed as they come."""
    if options.repeats < 1:
        raise ValueError(f"bench: --repeats {options.repeats} is not positive")
    threads = _threads(options.threads)
    names = [name for name in options.kernels if name != WORKLOADS]
    kernels = selected(names, "bench") if names or not options.kernels else []
    if options.add is not None:
        kernels = [load_added(options.add, kernels if names else []).kernel]
    every = not options.kernels and options.add is None
    request = Request(
        tuple(kernels),
        chosen(options.peers),
        every or WORKLOADS in options.kernels,
        options.scaling,
        options.cold,
        options.only,
        None if options.add is None else str(options.add.resolve()),
        options.repeats,
    )
    record = Record(machine(), options.repeats)
    for line in text.header(record):
        print(line)
    for count in threads:
        _run(record, Request(**(vars(request) | {"threads": count})))
    return record


def _run(record: Record, request: Request) -> None:
    """Add what a run with so many threads finds to the record."""
    for finding in measure(request):
        if finding.rows:
            (record.curves if finding.curve else record.rows).extend(finding.rows)
            print("\n".join(text.blocks(finding.rows)), flush=True)
        else:
            record.rooflines[str(request.threads)] = finding.roofline
            print(text.limit_line(str(request.threads), finding.roofline))


def _threads(given: str | None) -> list[int]:
    """Return the numbers of threads in "1,2"."""
    parts = [str(cores())] if given is None else given.split(",")
    if not all(part.strip().isdigit() and 1 <= int(part) <= cores() for part in parts):
        raise ValueError(f"bench: --threads {given} are not numbers from 1 to {cores()}")
    return [int(part) for part in parts]


def _show(record: Record) -> None:
    """Print a record that was read."""
    for line in text.header(record):
        print(line)
    for _, rows in groupby(record.rows, lambda row: (row.work, row.case, row.threads)):
        print("\n".join(text.blocks(list(rows))))


def _compare(record: Record, earlier: Record, path: Path) -> None:
    """Print what became slower than in an earlier record; `RuntimeError` if anything did."""
    if record.machine["cpu"] != earlier.machine["cpu"]:
        print(f"{path} is of another machine, {earlier.machine['cpu']}: times may differ for that")
    found = list(slower(record.rows, earlier.rows))
    for now, before in found:
        if now.wall is not None and before.wall is not None:
            factor = now.wall.median / before.wall.median
            print(
                f"slower: {now.work}: {now.case}, {now.candidate}, {now.threads} threads: "
                f"{text.seconds(before.wall.median)} then, {text.seconds(now.wall.median)} now "
                f"({factor:.2f} times)"
            )
    if found:
        raise RuntimeError(f"bench: {len(found)} rows are slower than in {path}")
    print(f"no row is slower than in {path}")


def verify(options: argparse.Namespace) -> None:
    """``tinymed verify``: a line for each implementation; `RuntimeError` if one disagrees."""
    kernels = selected(options.kernels, "verify")
    added = {}
    if options.add is not None:
        own = load_added(options.add, kernels if options.kernels else [])
        kernels, added = [own.kernel], {own.kernel: {own.name: own.function}}
    wrong = 0
    for verdict in verdicts(kernels, added):
        print(verdict, flush=True)
        wrong += bool(verdict.failures)
    if wrong:
        raise RuntimeError(f"verify: {wrong} implementations disagree with the reference")


def kernels(options: argparse.Namespace) -> None:
    """``tinymed kernels``: what there is and when it runs; or compile everything."""
    chosen_kernels = selected(options.kernels, "kernels")
    if options.what == "warm":
        dtypes = ["float32", *(["float64"] if options.float64 else [])]
        functions, seconds = warm(chosen_kernels, dtypes)
        print(f"compiled {functions} functions in {text.seconds(seconds)}; the rest was cached")
        return
    if options.float64:
        raise ValueError("kernels: --float64 is for tinymed kernels warm")
    states = {(kernel, implementation): state for kernel, implementation, state in table()}
    for name in chosen_kernels:
        print(explain(name))
        for implementation in KERNELS[name].implementations:
            state = states[name, implementation]
            if state != "available":
                print(f"  {implementation}: {state}")
