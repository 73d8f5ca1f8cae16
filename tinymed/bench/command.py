"""``tinymed bench``, ``tinymed verify`` and ``tinymed kernels``: options, and what they start."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from tinymed import cuda
from tinymed.bench import text
from tinymed.bench.added import load_added
from tinymed.bench.certificate import of_device, of_host
from tinymed.bench.importing import import_figures
from tinymed.bench.machine import cores, machine
from tinymed.bench.memory import memory_figures
from tinymed.bench.page import page
from tinymed.bench.peers import PEERS, chosen
from tinymed.bench.record import Figure, Record, Row, slower
from tinymed.bench.verify import Verdict, verdicts
from tinymed.bench.warm import warm
from tinymed.bench.worker import Request, measure
from tinymed.kernels import KERNELS, explain
from tinymed.kernels.registry import table

__all__ = ["add_bench", "add_kernels", "add_verify", "selected"]

WORKLOADS, IMPORT, MEMORY = "workloads", "import", "memory"
SUBJECTS = (WORKLOADS, IMPORT, MEMORY)  # what is not a kernel
EXPLAINED = """
What can be measured (all but --scaling if nothing is named):
  KERNEL      all implementations of conv.forward, or of each kernel of conv
  workloads   layers forward and backward, and steps of whole networks, eager and compiled
  memory      what a step of ResNet-18 needs, a convolution against its batch, an LSTM its length
  import      seconds of the import and bytes on the disk, beside NumPy and the peers
  --scaling   how time grows; alone, it measures nothing else

Examples:
  tinymed bench conv.forward --add my_kernel.py
  tinymed bench workloads memory import --peers torch,torch-channels-last,jax,onnxruntime \\
      --threads 1,2 --json record.json --html bench.html
  tinymed bench --scaling --threads 1,2 --only lstm --html growth.html
  tinymed bench --from record.json --compare earlier.json --readme README.md
  tinymed bench --from record.json --threads 1

my_kernel.py defines a function of the kernel's own name and parameters, here forward(x, weight,
...), as `tinymed.kernels.conv.reference` has it.

Kernels and workloads are proved to compute the same as the reference before they are timed. What
cannot be timed is listed with the reason: not installed, disagrees, refused (by tinymed.compile).
"""


def add_bench(command: argparse.ArgumentParser) -> None:
    """Add the options of ``tinymed bench``."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog, add = EXPLAINED, command.add_argument
    add("kernels", nargs="*", metavar="WHAT", help=f"KERNEL, {', '.join(SUBJECTS)} (all)")
    add("--only", default="", metavar="WORDS", help="only what contains all of these words")
    add("--peers", default="", metavar="NAMES", help=f"to compare with: {','.join(PEERS)}")
    add("--threads", metavar="N,N", help=f"one run for each (default {cores()}); of --from (all)")
    add("--repeats", type=int, default=30, metavar="N", help="measurements of each (default 30)")
    add("--add", type=Path, metavar="FILE", help="a file with a kernel of yours")
    add("--cold", action="store_true", help="also time first calls, compiling in a new process")
    add("--scaling", action="store_true", help="time against batch, channels, length and threads")
    add("--json", type=Path, metavar="FILE", help="write the record here")
    add("--from", type=Path, dest="record", metavar="FILE", help="show a record; measure nothing")
    add("--compare", type=Path, metavar="FILE", help="status 1 if rows are slower than in a record")
    add("--html", type=Path, metavar="FILE", help="write a page with pictures")
    add("--readme", type=Path, metavar="FILE", help="rewrite the table between its markers")
    command.set_defaults(run=bench)


def add_verify(command: argparse.ArgumentParser) -> None:
    """Add the options of ``tinymed verify``."""
    command.add_argument("kernels", nargs="*", metavar="KERNEL", help="conv.forward, conv (all)")
    add = command.add_argument
    add("--add", type=Path, metavar="FILE", help="a file with a kernel of yours")
    add("--device", choices=("cpu", "cuda"), help="the only one (default: both, if there is a GPU)")
    add("--minutes", type=float, default=30.0, help="of the GPU, at most (default 30)")
    add("--json", type=Path, metavar="FILE", help="write the certificates here")
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
    record = _measured(options) if options.record is None else _recorded(options)
    if options.record is not None:
        _show(record)
    lines = text.lines_of(record)
    for line in (*text.curve_lines(lines), *text.growth_lines(lines), *text.means(record.rows)):
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
    threads = _threads(options.threads or str(cores()), cores())
    every = not options.kernels and options.add is None and not options.scaling
    subjects = SUBJECTS if every else options.kernels
    names = [name for name in options.kernels if name not in SUBJECTS]
    kernels = selected(names, "bench") if names or every else []
    if options.add is not None:
        kernels = [load_added(options.add, kernels).kernel]
    peers = chosen(options.peers)
    request = Request(
        tuple(kernels),
        peers,
        WORKLOADS in subjects,
        options.scaling,
        options.cold,
        options.only,
        None if options.add is None else str(options.add.resolve()),
        options.repeats,
    )
    record = Record(machine(), options.repeats)
    for line in text.header(record):
        print(line)
    if request.kernels or request.workloads or request.scaling:
        for count in threads:
            _run(record, Request(**(vars(request) | {"threads": count})))
    if MEMORY in subjects:
        for count in threads:
            _add(record, memory_figures(peers, count, options.only))
    if IMPORT in subjects:
        _add(record, import_figures(peers, options.repeats))
    return record


def _add(record: Record, found: Iterator[list[Figure]]) -> None:
    """Add figures to the record, and print them."""
    for figures in found:
        record.figures.extend(figures)
        print("\n".join(text.figure_block(figures)), flush=True)


def _run(record: Record, request: Request) -> None:
    """Add what a run with so many threads finds to the record."""
    for finding in measure(request):
        if finding.rows:
            (record.curves if finding.curve else record.rows).extend(finding.rows)
            print("\n".join(text.blocks(finding.rows)), flush=True)
        else:
            record.rooflines[str(request.threads)] = finding.roofline
            print(text.limit_line(str(request.threads), finding.roofline))


def _threads(given: str, most: int | None = None) -> list[int]:
    """Return the numbers of threads in "1,2"."""
    parts = given.split(",")
    if not all(p.strip().isdigit() and 1 <= int(p) <= (most or int(p)) for p in parts):
        limit = f"from 1 to {most}" if most else ">= 1"
        raise ValueError(f"bench: --threads {given} are not numbers {limit}")
    return [int(part) for part in parts]


def _recorded(options: argparse.Namespace) -> Record:
    """Return the record of ``--from``, or what it has with the numbers of ``--threads``."""
    record = Record.read(options.record)
    if options.threads is None:
        return record
    found = record.with_threads(_threads(options.threads))
    if not (found.rows or found.curves or found.figures):
        every: list[Row | Figure] = [*record.rows, *record.curves, *record.figures]
        has = ", ".join(map(str, sorted({each.threads for each in every}))) or "no"
        raise ValueError(f"bench: --threads {options.threads}: {options.record} has {has} threads")
    return found


def _show(record: Record) -> None:
    """Print a record that was read."""
    for line in text.header(record):
        print(line)
    for _, rows in groupby(record.rows, lambda row: (row.work, row.case, row.threads)):
        print("\n".join(text.blocks(list(rows))))
    for _, figures in groupby(record.figures, lambda one: (one.work, one.case, one.threads)):
        print("\n".join(text.figure_block(list(figures))))


def _compare(record: Record, earlier: Record, path: Path) -> None:
    """Print what became slower than in an earlier record; `RuntimeError` if anything did."""
    if record.machine["cpu"] != earlier.machine["cpu"]:
        print(f"{path} is of another machine, {earlier.machine['cpu']}: times may differ for that")
    found: list[tuple[Row | Figure, Row | Figure]] = [
        *slower([*record.rows, *record.curves], [*earlier.rows, *earlier.curves]),
        *slower(record.figures, earlier.figures),
    ]
    for now, before in found:
        if now.measured is not None and before.measured is not None:
            unit, (new, old) = getattr(now, "unit", "s"), (now.measured, before.measured)
            name = ": ".join(filter(None, [now.work, now.case]))
            print(
                f"{'slower' if unit == 's' else 'larger'}: {name}, {now.candidate}, "
                f"{now.threads} threads: {text.quantity(old.median, unit)} then, "
                f"{text.quantity(new.median, unit)} now ({new.median / old.median:.2f} times)"
            )
    if found:
        raise RuntimeError(f"bench: {len(found)} rows are slower or larger than in {path}")
    print(f"no row is slower or larger than in {path}")


def verify(options: argparse.Namespace) -> None:
    """``tinymed verify``: prove, print certificates; `RuntimeError` if anything disagrees."""
    kernels = selected(options.kernels, "verify")
    added = {}
    if options.add is not None:
        if options.device == "cuda":
            raise ValueError("verify: --add is for kernels of NumPy arrays; leave --device out")
        own = load_added(options.add, kernels if options.kernels else [])
        kernels, added = [own.kernel], {own.kernel: {own.name: own.function}}
    certificates = []
    if options.device != "cuda":
        certificates.append(of_host(list(_told(verdicts(kernels, added)))))
    if options.device == "cuda" or (options.device is None and not added and cuda.is_available()):
        certificates.append(of_device(kernels if options.kernels else (), options.minutes))
    elif options.device is None and not added:
        print("nothing was proved on a GPU; `tinymed verify --device cuda` says what it lacks")
    for certificate in certificates:
        print("\n".join(certificate.lines()))
    if options.json is not None:
        found = [certificate.as_json() for certificate in certificates]
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if wrong := sum(len(certificate.wrong) for certificate in certificates):
        raise RuntimeError(f"verify: {wrong} implementations disagree with the reference")


def _told(found: Iterable[Verdict]) -> Iterator[Verdict]:
    """Print verdicts as they come."""
    for verdict in found:
        print(verdict, flush=True)
        yield verdict


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
