"""The compile gate: what it records, what it objects to, and how a compile error reads."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tinymed.kernels.cuda import Variant, gate, variants
from tinymed.kernels.cuda import variant as variant_module
from tinymed.kernels.cuda.cubins import cache_folder, compile_ahead, cubin, key
from tinymed.kernels.cuda.machine_code import Figures, _chosen, figures
from tinymed.kernels.cuda.nvrtc import CompileError, compile_variant, library_version

try:
    library_version()
    NO_COMPILER = ""
except ImportError as error:
    NO_COMPILER = str(error)
needs_nvrtc = pytest.mark.skipif(bool(NO_COMPILER), reason=NO_COMPILER)

GOOD = Figures(registers=100, spills=0, stack=0, shared=1024, instructions=50, opcodes={"FFMA": 8})
ONE = Variant("one", "matmul/tiles.cu", ("f",))


def said(found: dict[str, Figures], known: Any = GOOD, variant: Variant = ONE) -> list[str]:
    record = {"f": known.as_json()} if known else {}
    return list(gate.objections(variant, "sm_80", found, record))


def test_nothing_is_said_of_what_is_as_recorded() -> None:
    assert said({"f": GOOD}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"instructions": 2}, "no code for the entry point 'f'"),
        ({"spills": 8}, "spills registers (8 bytes)"),
        ({"opcodes": {"LDL": 1}}, "spills registers"),
        ({"opcodes": {"HGMMA": 4, "WARPGROUP.ARRIVE": 4}}, "waits for each product of a warpgroup"),
        ({"registers": 255}, "f is not what gate.json says: registers 100 -> 255"),
        ({"opcodes": {"HMMA": 4}}, "FFMA 8 -> 0, HMMA 0 -> 4"),
        ({"shared": 200 * 1024}, "bytes shared, 163 KiB exist"),
    ],
)
def test_every_other_figure_is_objected_to(change: dict[str, Any], words: str) -> None:
    assert words in "; ".join(said({"f": replace(GOOD, **change)}))


def test_what_cannot_be_launched_or_is_not_there_is_objected_to() -> None:
    assert "no code for the entry point 'f'" in said({})[0]
    assert "is not in gate.json" in said({"f": GOOD}, None)[0]
    many = Variant("one", "matmul/tiles.cu", ("f",), threads=1024)
    assert "100 registers x 1024 threads > 65536" in said({"f": GOOD}, variant=many)[0]


def test_instructions_are_counted_by_stem_and_by_width() -> None:
    counted = Counter(
        {"LDG.E.128.CONSTANT": 2, "LDG.E": 3, "FFMA.FTZ": 5, "IMAD.WIDE": 9, "STS": 1}
    )
    assert _chosen(counted) == {"FFMA": 5, "LDG": 5, "LDG.128": 2, "STS": 1}


def test_every_variant_has_figures_without_spills_for_each_of_its_architectures() -> None:
    record = json.loads(gate.RECORD.read_text())["figures"]
    assert set(record) == {v.name for v in variants()}
    for variant in variants():
        assert set(record[variant.name]) == set(variant.architectures)
        for architecture, entries in record[variant.name].items():
            found = {name: Figures(**one) for name, one in entries.items()}
            assert not list(gate.objections(variant, architecture, found, entries))


def test_the_record_has_a_line_for_each_variant_and_gpu() -> None:
    text = gate.RECORD.read_text()
    record = json.loads(text)
    assert gate.written(record) == text
    pairs = [(v, a) for v in variants() for a in v.architectures]
    assert sum(line.startswith('  "sm_') for line in text.splitlines()) == len(pairs)


def test_an_update_of_some_variants_leaves_the_others_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"other": {"sm_80": {"f": GOOD.as_json()}}}
    known = {**other, "one/gone": {"sm_80": {}}}
    monkeypatch.setattr(gate, "RECORD", tmp_path / "gate.json")
    gate.RECORD.write_text(gate.written({"compiler": "1", "figures": known}))
    monkeypatch.setattr(gate, "compiler", lambda: "1")
    monkeypatch.setattr(gate, "variants", lambda: (replace(ONE, architectures=("sm_80",)),))
    monkeypatch.setattr(gate, "measured", lambda variant, architecture: {"f": GOOD})
    monkeypatch.setattr(gate, "compile_ahead", lambda pairs, processes: ())
    assert gate.main(["--only", "one"]) == 1  # one is not recorded, and one/gone is no more
    assert gate.main(["--only", "one", "--update"]) == 0
    assert gate.main(["--only", "one"]) == 0
    expected = {**other, "one": {"sm_80": {"f": GOOD.as_json()}}}
    assert json.loads(gate.RECORD.read_text())["figures"] == expected


def test_products_have_the_instructions_that_their_tiles_say() -> None:
    record = json.loads(gate.RECORD.read_text())["figures"]
    for name, architectures in record.items():
        for entries in architectures.values():
            opcodes = entries.get("matmul", {}).get("opcodes", {})
            if name.startswith("matmul/float32"):
                assert opcodes["FFMA"] == 8 * 8 * 8  # of a step of 8, for 8 x 8 sums
                assert opcodes["LDS.128"] == opcodes["LDS"] == 4 * 8
            if name.startswith(("matmul/tf32", "matmul/bfloat16", "matmul/float16")):
                products = 3 if "tf32x3" in name else 1
                assert opcodes["HMMA"] == products * 2 * 16  # two along a step, for 4 x 4 products


def test_products_on_hopper_are_multiplied_and_copied_by_few_instructions() -> None:
    record = json.loads(gate.RECORD.read_text())["figures"]
    found = {name: gpus["sm_90a"] for name, gpus in record.items() if "/wgmma_" in name}
    of_products = {name: one for name, one in found.items() if name.startswith("matmul/")}
    assert len(of_products) == 4
    for name, entries in of_products.items():
        columns = int(name.rpartition("_")[2])
        for layout, one in entries.items():
            a_turned, b_turned = layout[-2] == "t", layout[-1] == "t"
            boxes = (2 if a_turned else 1) + (1 if b_turned else columns // 64)
            assert one["opcodes"]["HGMMA"] == 4  # of 16 along K: a step
            assert one["opcodes"]["WARPGROUP.ARRIVE"] == 1  # none waits for another
            assert one["opcodes"]["UTMALDG"] == boxes
            assert not one["opcodes"].keys() & {"LDS", "STS", "HMMA"}
            assert one["registers"] == 168  # what three warpgroups can have at their start
    (first,) = record["matmul/ladder/7_warpgroups"]["sm_90a"].values()
    assert first["opcodes"]["HGMMA"] == 4


def test_convolutions_on_tensor_cores_are_multiplied_and_copied_as_their_tiles_say() -> None:
    record = json.loads(gate.RECORD.read_text())["figures"]
    found = {name: one for name, one in record.items() if name.startswith("conv/tensor_")}
    assert len(found) == 12  # four formats
    for name, architectures in found.items():
        products, rows = 3 if "tf32x3" in name else 1, 128 if name.endswith("_128") else 64
        for entries in architectures.values():
            (figures,) = entries.values()
            opcodes = figures["opcodes"]
            assert opcodes["HMMA"] == products * 2 * rows // 64 * 8  # two along a step
            # the three steps ahead, and the one in the loop, of both tiles
            assert opcodes["LDGSTS"] == 4 * (rows + 128) * 64 // 16 // 256
            assert figures["registers"] <= (255 if rows == 128 else 128)  # two blocks at once


def test_convolutions_on_hopper_are_multiplied_and_gathered_as_their_tiles_say() -> None:
    record = json.loads(gate.RECORD.read_text())["figures"]
    found = {name: one for name, one in record.items() if name.startswith("conv/wgmma_")}
    assert len(found) == 2 * (3 + 2)
    for name, gpus in found.items():
        ((entry, one),) = gpus["sm_90a"].items()
        opcodes, size = one["opcodes"], name.rpartition("_")[2]
        assert opcodes["HGMMA"] == 4  # of 16 along k: a step
        assert opcodes["WARPGROUP.ARRIVE"] == 1  # none waits for another
        columns = int(size.partition("x")[2] or 256)
        assert opcodes["LDGSTS"] == columns * 128 // 16 // 128  # of a thread, in a step
        turned = entry == "grad_weight"
        assert opcodes["UTMALDG"] == (int(size) // 64 if turned else 1)
        assert not opcodes.keys() & ({"HMMA", "LDS", "STS"} if turned else {"HMMA"})
        assert one["registers"] == 168  # what three warpgroups can have at their start


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYMED_CUDA_CACHE", str(tmp_path / "cache"))
    cache_folder.cache_clear()
    yield tmp_path / "cache"
    cache_folder.cache_clear()


def source(folder: Path, text: str, **settings: Any) -> Variant:
    path = folder / "kernel.cu"
    path.write_text(text)
    return Variant("mine", str(path), ("f",), **settings)


@needs_nvrtc
def test_machine_code_is_compiled_once(tmp_path: Path, own_cache: Path) -> None:
    text = 'extern "C" __global__ void f(float* x) { x[threadIdx.x] *= FACTOR; }'
    variant = source(tmp_path, text, defines=(("FACTOR", 3),))
    place = cubin(variant, "sm_80")
    before = place.stat().st_mtime_ns
    assert cubin(variant, "sm_80") == place
    assert place.stat().st_mtime_ns == before
    assert cubin(variant, "sm_90") != place
    assert cubin(source(tmp_path, text, defines=(("FACTOR", 4),)), "sm_80") != place
    assert len(list(own_cache.glob("*.cubin"))) == 3


@needs_nvrtc
def test_a_cache_serves_another_checkout_on_another_machine(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [(v, gpu) for v in variants() for gpu in v.architectures]
    own_cache.mkdir()
    for variant, gpu in pairs:  # as if each had been compiled
        for ending in (".cubin", ".log"):
            (own_cache / f"{key(variant, gpu)}{ending}").touch()
    kernels, carried = tmp_path / "elsewhere" / "kernels", tmp_path / "carried"
    shutil.copytree(variant_module.KERNELS_FOLDER, kernels)
    own_cache.rename(carried)
    monkeypatch.setattr(variant_module, "KERNELS_FOLDER", kernels)
    monkeypatch.setenv("TINYMED_CUDA_CACHE", str(carried))
    cache_folder.cache_clear()
    assert {cubin(variant, gpu).parent for variant, gpu in pairs} == {carried}
    assert len(list(carried.glob("*.cubin"))) == len({key(*pair) for pair in pairs}) > 100
    (kernels / "cuda" / "device.cuh").write_text("// changed")
    assert len({key(*pair) for pair in pairs} - {f.stem for f in carried.iterdir()}) > 10


@needs_nvrtc
def test_many_are_compiled_ahead_in_processes_and_each_failure_is_told(
    tmp_path: Path, own_cache: Path
) -> None:
    text = 'extern "C" __global__ void f(float* x) { x[threadIdx.x] *= FACTOR; }'
    sound = source(tmp_path, text, defines=(("FACTOR", 3),))
    cubin(sound, "sm_80")
    wanted = [(sound, "sm_80"), (sound, "sm_90"), (source(tmp_path, text), "sm_90")]
    found = list(compile_ahead(wanted))
    assert found[0] == (sound, "sm_80", None)  # which was there
    assert (sound, "sm_90", None) in found
    (failed,) = [error for _, _, error in found if error is not None]
    assert isinstance(failed, CompileError)
    assert '"FACTOR" is undefined' in str(failed)
    assert len(list(own_cache.glob("*.cubin"))) == 2


@needs_nvrtc
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x[0] = nothing;", ["kernel.cu:2: ", '"nothing" is undefined', "x[0] = nothing;"]),
        ("__shared__ float s[20000]; s[threadIdx.x] = 1; __syncthreads(); x[0] = s[x[1] > 0];",
         ["hint: more than 48 KiB must be dynamic"]),
    ],
)  # fmt: skip
def test_a_compile_error_shows_the_line_the_options_and_a_hint(
    tmp_path: Path, line: str, words: list[str]
) -> None:
    text = f'extern "C" __global__ void f(float* x) {{\n  {line}\n}}\n'
    with pytest.raises(CompileError) as raised:
        compile_variant(source(tmp_path, text, defines=(("FACTOR", 3),)), "sm_80")
    for word in [*words, "options: --gpu-architecture=sm_80", "-DFACTOR=3", "hint: "]:
        assert word in str(raised.value)


@needs_nvrtc
def test_a_template_that_is_never_instantiated_has_no_code(tmp_path: Path, own_cache: Path) -> None:
    text = "template <int N> __global__ void f(float* x) { x[0] = N; }"
    try:
        found = figures(source(tmp_path, text), "sm_80")
    except ImportError as error:
        pytest.skip(str(error))
    assert "no code for the entry point 'f'" in said(found)[0]


def test_a_header_that_is_nowhere_is_named(tmp_path: Path) -> None:
    variant = source(tmp_path, '#include "nowhere.cuh"\n')
    with pytest.raises(FileNotFoundError, match=r"kernel.cu: #include 'nowhere.cuh' is neither"):
        variant.headers()


def test_a_source_that_no_variant_names_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(variant_module.KERNELS_FOLDER / "matmul", tmp_path / "matmul")
    (tmp_path / "matmul" / "orphan.cu").write_text("")
    monkeypatch.setattr(variant_module, "KERNELS_FOLDER", tmp_path)
    with pytest.raises(LookupError, match=r"variants: no VARIANTS names .*orphan.cu"):
        variants.__wrapped__()
