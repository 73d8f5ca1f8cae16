"""What a run on a GPU found, as text: all of it for the terminal, its essence for the README."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from tinymed.bench.gpu.clocks import clock_text
from tinymed.bench.gpu.journal import RIGHT, WRONG, Journal, Row
from tinymed.bench.record import TIMED
from tinymed.bench.text import seconds

__all__ = ["MARKERS", "failures", "readme", "table"]

MARKERS = ("<!-- gpu -->", "<!-- /gpu -->")
NOT_MEASURED = (
    "Not yet measured: no GPU has run `python -m benchmarks.gpu_verify --readme README.md`, which "
    "writes this table."
)
ESSENTIAL = ("network", "time", "layer")
TIMED_KINDS = (*ESSENTIAL, "numba_time", "sizes")
UNITS = {
    "bytes": "TB/s copied",
    "float32": "TFLOP/s float32",
    "wgmma": "TFLOP/s float16 (wgmma)",
}
HEAD = (
    *("work", "sizes", "tinymed", "of the limit", "fastest PyTorch", "PyTorch / tinymed"),
    "SM clock",
)


def failures(journal: Journal) -> list[Row]:
    """Return the rows of what is wrong: those that make the exit status 1."""
    return [row for row in journal.rows() if row["state"] in WRONG]


def table(journal: Journal, names: Sequence[str]) -> Iterator[str]:
    """Yield all lines: on what, each proof and each time, what is wrong, what was not run."""
    rows = journal.rows()
    yield from (device(journal.about()), ceilings(rows), clocks(journal))
    for kind, group in groupby(rows, lambda row: row["step"].split()[0]):
        own = list(group)
        yield f"{kind}: {_counted(own)}"
        if kind in TIMED_KINDS:
            yield from map(_aligned, times(own))
        else:
            yield from (f"  {_line(row)}" for row in own if kind != "compile")
    for row in failures(journal):
        yield f"{row['state']}: {row['step']}"
        yield from (f"  {line}" for said in _said(row) for line in said.splitlines())
    yield from unproved(rows)
    left = journal.left(names)
    for kind in dict.fromkeys(name.split()[0] for name in left):
        those = [name.partition(" ")[2] for name in left if name.startswith(f"{kind} ")]
        yield f"not run, {kind}: {'; '.join(those)}"
    yield f"steps: {len(names) - len(left)} of {len(names)} run; {_counted(rows)}"


def device(about: Row) -> str:
    """Return on what, with what and when."""
    capability = ".".join(map(str, about.get("capability", ())))
    driver = f"driver {about['driver']} (CUDA {about.get('cuda_of_driver', 'unknown')})"
    versions = [f"{n} {v}" for n, v in about["versions"].items() if v and n in ("tinymed", "torch")]
    own = [f"{name} {about[name]}" for name in ("cupy", "nvrtc") if name in about]
    parts = [f"{about['device']}, compute capability {capability}", driver, *own, *versions]
    return f"{', '.join(parts)}; commit {about['commit']}, {about['date']}"


def ceilings(rows: Sequence[Row]) -> str:
    """Return what the card reached at most."""
    found = [row for row in rows if row["step"].startswith("ceiling") and "value" in row]
    if not found:
        return "ceilings: not measured"
    texts = []
    for row in found:
        unit = UNITS.get(row["of"], f"TFLOP/s {row['of']} (mma.sync)")
        texts.append(f"{row['value'] / 1e12:.3g} {unit}")
    return f"ceilings: {', '.join(texts)}"


def clocks(journal: Journal) -> str:
    """Return at what the card ran in all steps, and in which something held it back."""
    if note := journal.no_clocks():
        return f"clocks: not recorded: {note}"
    found = {row["step"]: row["clock"] for row in journal.rows() if "clock" in row}
    if not found:
        return "clocks: not recorded: no step lasted until somebody looked"
    own = found.values()
    slowed = [f"{step} ({clock_text(clock)})" for step, clock in found.items() if clock["slowed"]]
    lowest, highest = min(c["lowest_sm"] for c in own), max(c["sm"] for c in own)
    return (
        f"clocks: SM {lowest:g} to {highest:g} MHz, at most {max(c['power'] for c in own):g} W and "
        f"{max(c['temperature'] for c in own):g} degrees Celsius in {len(found)} steps; held back "
        f"in {len(slowed)}{': ' if slowed else ''}{'; '.join(slowed)}"
    )


def times(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """Yield the columns of `HEAD` for each contest, and for each way tinymed has to do it."""
    for _, group in groupby(rows, lambda row: row["step"]):
        contest = [row for row in group if "candidate" in row]
        peers = [r for r in contest if r["state"] == TIMED and "torch" in r["candidate"]]
        peer = min(peers, key=lambda r: r["wall"]["median"], default=None)
        for row in contest:
            if "torch" in row["candidate"]:
                continue
            name = f"{row['work']}, {row['candidate']}"
            own = (name.removesuffix(", tinymed"), row["case"], *_against(row, peer))
            yield (*own, clock_text(row.get("clock")))


def _against(row: Row, peer: Row | None) -> tuple[str, str, str, str]:
    """Return the last four columns of a row."""
    if row["state"] != TIMED:
        return row["state"], "", "", ""
    median = row["wall"]["median"]
    limit = f"{row['limit'] / median:.0%}" if row["limit"] else ""
    if peer is None:
        return seconds(median), limit, "", ""
    theirs = f"{seconds(peer['wall']['median'])}, {peer['candidate']}"
    return seconds(median), limit, theirs, f"{peer['wall']['median'] / median:.2f}"


def _aligned(columns: tuple[str, ...]) -> str:
    widths = (44, 46, 10, 8, 30, 6, 8)
    return "  " + " ".join(c.ljust(w) for c, w in zip(columns, widths, strict=True)).rstrip()


def _line(row: Row) -> str:
    """Return a row of a proof or a ceiling on one line."""
    name = row["step"].partition(" ")[2]
    facts = [row["state"]]
    if "trials" in row:
        facts.append(f"{row['proved']} of {row['trials']} cases")
    if "worst" in row:
        facts.append(f"largest error {row['worst']:.0%} of the tolerance")
    if "same_bits" in row:
        facts.append("the emulator's bits" if row["same_bits"] else "other bits than the emulator")
    if "value" in row:
        facts.append(f"{row['value']:.4g} a second")
    if row["state"] == "not run":
        facts.append(row.get("note", ""))
    return f"{name:44} {', '.join(facts)}"


def _said(row: Row) -> list[str]:
    """Return what a row says of what is wrong."""
    return [*row.get("failures", []), *([row["note"]] if row.get("note") else [])]


def unproved(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line with the variants that were compiled and that no check has run."""
    compiled = {row["variant"] for row in rows if "variant" in row}
    ran = {name for row in rows for name in row.get("variants", ())}
    if left := sorted(compiled - ran):
        yield f"compiled, but run by no check: {', '.join(left)}"


def _counted(rows: Sequence[Row]) -> str:
    found = Counter(row["state"] for row in rows)
    order = [*RIGHT, *WRONG, *sorted(found.keys() - {*RIGHT, *WRONG})]
    return ", ".join(f"{found[state]} {state}" for state in order if found[state])


def readme(journal: Journal | None) -> Iterator[str]:
    """Yield the README's lines; that nothing was measured, if there is no journal."""
    if journal is None:
        yield NOT_MEASURED
        return
    rows = journal.rows()
    checks = [row for row in rows if row["step"].startswith("check ")]
    proved = [row for row in checks if row["state"] == "proved"]
    cases = sum(row["proved"] for row in proved)
    yield f"| {' | '.join(HEAD)} |"
    yield "| --- | --- | --: | --: | --: | --: | --: |"
    yield from (f"| {' | '.join(columns)} |" for columns in times(_essence(rows)))
    yield ""
    yield f"{device(journal.about())}. {ceilings(rows).capitalize()}."
    yield (
        f"{len(proved)} of {len(checks)} implementations that were tried are proved, on {cases} "
        f"cases, each twice with the same bits; {len(failures(journal))} rows of the record are "
        "wrong. Medians between events of the GPU, its caches emptied before each call; PyTorch "
        "with cuDNN's search for the fastest algorithm, float32 without TF32 where it is not named."
    )


def _essence(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of networks and layers, and of the largest case of each kernel."""
    return [row for row in rows if row["step"].split()[0] in ESSENTIAL]
