"""Calls of products, sums over subscripts, distances and covariances."""

from typing import Any

import numpy as np

from tests.ops.calls.call import Constant, compare, deviates, inf, nan, normal, rounded, whole

# ------------------------------------------------------------------- products of fixed axes
SHAPES: dict[str, Any] = {
    "mm": ((2, 3), (3, 4)), "bmm": ((4, 2, 3), (4, 3, 2)), "mv": ((2, 3), (3,)),
    "dot": ((3,), (3,)), "vdot": ((3,), (3,)), "outer": ((3,), (2,)),
}  # fmt: skip
for op, (left, right) in SHAPES.items():

    def call(m: Any, a: Any, b: Any, op: str = op) -> Any:
        return getattr(m, op)(a, b)

    empty = tuple((0,) * len(s) for s in (left, right))
    compare(op, call, normal(*left), normal(*right))
    compare(f"{op} integers", call, whole(*left), whole(*right))
    compare(f"{op} float32", call, normal(*left).astype("f4"), normal(*right).astype("f4"))
    compare(f"{op} dtypes", call, normal(*left), normal(*right).astype("f4"))
    compare(f"{op} empty", call, np.zeros(empty[0]), np.zeros(empty[1]))
    compare(f"{op} more axes", call, normal(2, *left), normal(*right))
    compare(f"{op} fewer axes", call, normal(*left), normal(*right[1:]))
    compare(f"{op} sizes", call, normal(*left), normal(5, *right[1:]))
    compare(f"{op} 0-d", call, np.array(1.0), normal(*right))
for name, (left, right) in {
    "vectors": ((3,), (3,)), "matrices": ((2, 3), (4, 3)), "deep": ((2, 1, 3), (2, 3)),
    "0-d": ((), (2, 3)), "0-d right": ((2,), ()), "sizes": ((2, 3), (2,)),
    "empty": ((0, 3), (2, 3)),
    "nothing to add": ((2, 0), (3, 0)),
}.items():  # fmt: skip
    compare(f"inner {name}", lambda m, a, b: m.inner(a, b), normal(*left), normal(*right))
compare("inner dtypes", lambda m, a, b: m.inner(a, b), normal(2), normal(2).astype("f4"))
for name, (left, right) in {
    "matrices": ((2, 3), (3, 2)), "vector": ((2,), (3,)), "axes": ((2,), (2, 1, 3)),
    "0-d": ((), (2, 2)),
    "empty": ((0, 2), (2, 2)), "more axes": ((2, 1, 2), (2, 2)),
}.items():  # fmt: skip
    compare(f"kron {name}", lambda m, a, b: m.kron(a, b), normal(*left), normal(*right))
compare("kron dtypes", lambda m, a, b: m.kron(a, b), whole(2), normal(2).astype("f4"))

# ------------------------------------------------------------------------ products that are added
ADDED: dict[str, Any] = {
    "addmm": ((2, 4), (2, 3), (3, 4)), "addmv": ((2,), (2, 3), (3,)), "addr": ((2, 3), (2,), (3,)),
    "baddbmm": ((4, 2, 2), (4, 2, 3), (4, 3, 2)), "addbmm": ((2, 2), (4, 2, 3), (4, 3, 2)),
}  # fmt: skip
for op, (start, left, right) in ADDED.items():
    shapes = {
        "": (start, left, right), "row": (start[-1:], left, right), "0-d": ((), left, right),
        "ones": ((1,) * len(start), left, right), "more axes": ((1, *start), left, right),
        "does not fit": ((5,), left, right), "sizes": (start, left, (7, *right[1:])),
        "axes": (start, (2, *left), right),
        "empty": ((0,) * len(start), (0,) * len(left), (0,) * len(right)),
    }  # fmt: skip
    for name, (a, b, c) in shapes.items():
        compare(
            f"{op} {name}",
            lambda m, x, a, b, op=op: getattr(m, op)(x, a, b),
            normal(*a),
            normal(*b),
            normal(*c),
        )
    for beta, alpha in ((0.5, 2.0), (0, 1), (2, 0), (0, 0), (1, -1.5)):
        compare(
            f"{op} {beta} {alpha}",
            lambda m, x, a, b, op=op, s=beta, t=alpha: getattr(m, op)(x, a, b, beta=s, alpha=t),
            normal(*start),
            normal(*left),
            normal(*right),
        )
        compare(
            f"{op} integers {beta} {alpha}",
            lambda m, x, a, b, op=op, s=beta, t=alpha: getattr(m, op)(x, a, b, beta=s, alpha=t),
            whole(*start),
            whole(*left),
            whole(*right),
        )
    for beta, alpha in ((0, 1), (1, 0)):
        compare(
            f"{op} NaN that does not count {beta} {alpha}",
            lambda m, x, a, b, op=op, s=beta, t=alpha: getattr(m, op)(x, a, b, beta=s, alpha=t),
            Constant(np.full(start, nan if beta == 0 else 1.0)),
            Constant(np.full(left, nan if alpha == 0 else 1.0)),
            Constant(np.ones(right)),
        )
    compare(
        f"{op} dtypes",
        lambda m, x, a, b, op=op: getattr(m, op)(x, a, b),
        normal(*start).astype("f4"),
        normal(*left),
        normal(*right),
    )

# --------------------------------------------------------------------------- squares and crosses
for name, x in {
    "square": normal(3, 3), "wide": normal(2, 3), "integers": whole(3, 3).astype("i4"),
    "empty": np.zeros((0, 0)), "vector": normal(3), "batch": normal(2, 3, 3),
    "float16": normal(2, 2).astype("f2"),
}.items():  # fmt: skip
    compare(f"trace {name}", lambda m, x: m.trace(x), x)
    for n in (0, 1, 2, 5):
        compare(f"matrix_power {name} {n}", lambda m, x, n=n: m.matrix_power(x, n), x)
for name, (left, right, dim) in {
    "last": ((2, 3), (2, 3), -1), "first": ((3, 2), (3, 2), 0), "found": ((3, 2), (3, 2), None),
    "broadcast": ((4, 3), (1, 3), 1), "none of 3": ((2, 2), (2, 2), None),
    "size": ((2, 2), (2, 2), 1),
    "axes": ((2, 3), (3,), 1), "dim": ((2, 3), (2, 3), 2), "0-d": ((), (), 0),
}.items():  # fmt: skip
    compare(
        f"cross {name}",
        lambda m, a, b, d=dim: m.cross(a, b) if d is None else m.cross(a, b, dim=d),
        normal(*left),
        normal(*right),
    )
compare("cross dtypes", lambda m, a, b: m.cross(a, b, dim=0), whole(3), normal(3).astype("f4"))

# --------------------------------------------------------------------------------------- tensordot
for name, (left, right, dims) in {
    "two": ((2, 3, 4), (3, 4, 2), 2), "one": ((2, 3), (3, 2), 1), "none": ((2,), (3,), 0),
    "lists": ((2, 3, 4), (4, 2), ([0, 2], [1, 0])), "negative": ((2, 3), (3, 2), ([-1], [-2])),
    "sizes": ((2, 3), (2, 3), 1), "below 0": ((2, 3), (3, 2), -1), "too many": ((2,), (2,), 2),
    "twice": ((2, 2), (2, 2), ([0, 0], [0, 1])), "lengths": ((2, 2), (2, 2), ([0], [0, 1])),
    "an axis of 1": ((2, 1), (3, 2), 1), "empty": ((0, 3), (3, 2), 1),
    "out of range": ((2,), (2,), ([1], [0])),
    "nothing to add": ((2, 0), (0, 3), 1),
}.items():  # fmt: skip
    compare(
        f"tensordot {name}",
        lambda m, a, b, d=dims: m.tensordot(a, b, dims=d),
        normal(*left),
        normal(*right),
    )
compare("tensordot dtypes", lambda m, a, b: m.tensordot(a, b, 1), normal(2), normal(2).astype("f4"))

# ------------------------------------------------------------------------------------------ einsum
EQUATIONS: dict[str, tuple[Any, ...]] = {
    "ij,jk->ik": ((2, 3), (3, 4)), "ij,jk": ((2, 3), (3, 4)),
    "bij,bjk->bik": ((2, 2, 3), (2, 3, 2)),
    "ij->ji": ((2, 3),), "ba": ((2, 3),), "iA": ((2, 3),), "ij->": ((2, 3),), "ij->j": ((2, 3),),
    "ii": ((3, 3),), "ii->i": ((3, 3),), "iij->ij": ((2, 2, 3),), "iii->i": ((2, 2, 2),),
    "ijij->ji": ((2, 3, 2, 3),), "i,j->ij": ((2,), (3,)), "i,i": ((3,), (3,)),
    "i,i->i": ((3,), (3,)),
    "i,ij,j": ((2,), (2, 3), (3,)), "ij,jk,kl->il": ((2, 3), (3, 2), (2, 4)), "bn,anm,bm->ba": (
        (2, 3), (4, 3, 2), (2, 2)), "...ij,...jk->...ik": ((4, 2, 3), (4, 3, 2)),
    "...ij,jk->...ik": ((4, 2, 3), (3, 2)), "...ij,...jk": ((5, 1, 2, 3), (4, 3, 2)),
    "i...,i...": ((4, 2, 3), (4, 3)), "...ij->ij": ((4, 2, 3),), "...ij->...ji": ((4, 2, 3),),
    "...->": ((2, 3),), "...": ((2, 3),), "i...->...": ((2, 3),), "->": ((),), "": ((),),
    ",": ((), ()), ",i->i": ((), (3,)), "i->i...": ((3,),), " i j , j k -> i k ": ((2, 3), (3, 2)),
    "ij,jk -> ik": ((2, 1), (3, 2)), "ij,ij->ij": ((2, 3), (1, 3)), "i,i->": ((1,), (3,)),
    "ij,ij,ij->i": ((2, 3), (2, 3), (2, 1)), "bhqd,bhkd->bhqk": ((2, 2, 3, 2), (2, 2, 2, 2)),
    "ij,jk->k": ((0, 3), (3, 2)), "ij, jk->ik": ((2, 0), (0, 3)),
    "a,b,c,d->dcba": ((2,), (1,), (2,), (3,)),
}  # fmt: skip
WRONG: dict[str, tuple[Any, ...]] = {
    "ij,jk->kj": ((2, 3), (2, 3)), "ij->k": ((2, 3),), "ij->ii": ((2, 3),), "ij,jl": ((2, 3),),
    "ij": ((2, 3), (2, 3)), "ijk": ((2, 3),), "i": ((2, 3),), "...i...": ((2,),),
    "i1,i": ((2, 2), (2,)),
    "i..,i": ((2, 2), (2,)), "ii->": ((2, 3),), "ii,": ((1, 3), ()), "ij->->": ((2, 3),),
    "ij->i->j": ((2, 3),),
    "...ij,...jk-> ...ik": ((4, 2, 3), (3, 3, 2)), "ij,jk>ik": ((2, 3), (3, 2)), ".i": ((2,),),
}  # fmt: skip
for equation, sizes in {**EQUATIONS, **WRONG}.items():
    compare(
        f"einsum {equation!r}",
        lambda m, *xs, e=equation: m.einsum(e, *xs),
        *(normal(*size) for size in sizes),
    )
compare("einsum list", lambda m, a, b: m.einsum("ij,jk", [a, b]), normal(2, 3), normal(3, 2))
compare("einsum integers", lambda m, a, b: m.einsum("ij,jk", a, b), whole(2, 3), whole(3, 2))
compare("einsum dtypes", lambda m, a, b: m.einsum("ij,jk", a, b), normal(2, 3), whole(3, 2))
compare("einsum one tensor twice", lambda m, a: m.einsum("ij,ik->jk", a, a), normal(2, 3))
compare("einsum nothing", lambda m: m.einsum("ij"))
for name, sublists in {
    "implicit": ([0, 1], [1, 2]), "explicit": ([0, 1], [1, 2], [2, 0]),
    "dots": ([..., 1], [1, 2], [..., 2]),
    "order": ([27, 1], [1, 0]), "out of range": ([0, 60], [60, 2]), "text": ([0, "a"], ["a", 2]),
}.items():  # fmt: skip
    compare(
        f"einsum sublists {name}",
        lambda m, a, b, s=sublists: m.einsum(a, s[0], b, *s[1:]),
        normal(2, 3),
        normal(3, 2),
    )

# --------------------------------------------------------------------------------------- distances
NEAR = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
FAR = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 0.0], [3.0, 4.0, 5.0]])
for p in (2.0, 1.0, inf, 0.5, 1.5, 3.0, 0.0, 2, -1.0):
    for name, (a, b) in {
        "": (normal(3, 2), normal(4, 2)), "equal points": (NEAR, FAR), "batch": (
            normal(2, 1, 3, 2), normal(3, 2, 2)), "no points": (np.zeros((0, 2)), normal(3, 2)),
        "no coordinates": (np.zeros((2, 0)), np.zeros((3, 0))),
        "many": (normal(30, 2), normal(27, 2)),
    }.items():  # fmt: skip
        given = (a, b) if name != "many" else (Constant(a), Constant(b))
        compare(f"cdist {p} {name}", lambda m, a, b, p=p: m.cdist(a, b, p), *given)
for name, (a, b) in {
    "integers": (whole(2, 3), whole(2, 3)), "dtypes": (normal(2, 3), normal(2, 3).astype("f4")),
    "columns": (normal(2, 3), normal(2, 2)), "vector": (normal(3), normal(2, 3)),
    "batches": (normal(2, 2, 3), normal(3, 2, 3)),
    "NaN": (Constant([[nan, 1.0]]), Constant([[0.0, 1.0]])),
    "float32": (normal(2, 3).astype("f4"), normal(2, 3).astype("f4")),
}.items():  # fmt: skip
    compare(f"cdist {name}", lambda m, a, b: m.cdist(a, b), a, b)
for mode in ("use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist", "fast"):
    compare(
        f"cdist {mode}",
        lambda m, a, b, c=mode: m.cdist(a, b, compute_mode=c),
        normal(3, 2),
        normal(2, 2),
    )
for name, (a, b, settings) in {
    "": (normal(3, 4), normal(3, 4), {}), "dim": (normal(3, 4), normal(3, 4), {"dim": 0}),
    "broadcast": (normal(2, 3, 4), normal(3, 4), {"dim": -1}),
    "eps": (normal(3, 4), normal(3, 4), {"eps": 9.0}),
    "zeros": (np.zeros((2, 3)), normal(2, 3), {}), "integers": (whole(2, 3), whole(2, 3), {}),
    "dtypes": (normal(2, 3), normal(2, 3).astype("f4"), {}), "vectors": (normal(3), normal(3), {}),
    "vectors dim": (normal(3), normal(3), {"dim": 0}), "shapes": (normal(2, 3), normal(2, 2), {}),
    "number of axes": (normal(3), normal(2, 3), {"dim": 1}),
}.items():  # fmt: skip
    compare(
        f"cosine_similarity {name}",
        lambda m, a, b, s=settings: m.cosine_similarity(a, b, **s),
        a,
        b,
    )

# ------------------------------------------------------------------------------------- covariances
OFTEN, MUCH = np.array([1, 2, 0, 3]), Constant([0.5, 1.0, 2.0, 0.25])
for name, x in {
    "matrix": normal(3, 4), "vector": normal(4), "0-d": np.array(1.0),
    "one observation": normal(2, 1),
    "no observations": np.zeros((2, 0)), "integers": whole(2, 4), "deep": normal(2, 2, 4),
    "constant": np.ones((2, 4)), "float32": normal(2, 4).astype("f4"),
}.items():  # fmt: skip
    given = Constant(x) if name in ("0-d", "one observation", "constant") else x
    compare(f"cov {name}", lambda m, x: m.cov(x), given)
    compare(f"corrcoef {name}", lambda m, x: m.corrcoef(x), given)
    compare(f"cov correction {name}", lambda m, x: m.cov(x, correction=0), given)
compare("cov fweights", lambda m, x, f: m.cov(x, fweights=f), normal(3, 4), OFTEN)
compare("cov aweights", lambda m, x, a: m.cov(x, aweights=a), normal(3, 4), MUCH)
compare("cov both", lambda m, x, f, a: m.cov(x, fweights=f, aweights=a), normal(3, 4), OFTEN, MUCH)
compare("cov too few fweights", lambda m, x, f: m.cov(x, fweights=f), normal(3, 3), OFTEN)
compare("cov negative fweights", lambda m, x, f: m.cov(x, fweights=f), normal(3, 4), OFTEN - 2)
compare("cov float fweights", lambda m, x, f: m.cov(x, fweights=f), normal(3, 4), MUCH)
compare("cov integer aweights", lambda m, x, a: m.cov(x, aweights=a), normal(3, 4), OFTEN)

rounded("mm float32")
for pattern in ("cosine_similarity*", "cdist*", "cov*", "corrcoef*", "matrix_power*", "einsum*"):
    rounded(pattern)
deviates("add[mb]* integers 0.5 2.0", "refused; PyTorch makes 0.5 an integer, 0")
deviates("baddbmm integers 0.5 2.0", "refused; PyTorch makes 0.5 an integer, 0")
deviates("add[mb]* integers 1 -1.5", "refused; PyTorch makes -1.5 an integer, -1")
deviates("baddbmm integers 1 -1.5", "refused; PyTorch makes -1.5 an integer, -1")
for op in ("addr", "baddbmm"):
    deviates(f"{op} NaN that does not count 1 0", "alpha=0 means the same for all of them")
deviates(
    "cdist inf equal points", "the largest differences, if equal, share the gradient, as in norm"
)
deviates("cosine_similarity eps", "a length below eps counts as eps, and has no gradient")

for op in ("cov", "corrcoef"):
    compare(f"{op} one row", lambda m, x, op=op: getattr(m, op)(x), np.array([[1.0, 2.0, 4.0]]))
