"""One step of Dinkelbach's method: the linear program over atoms, mixed-integer or relaxed.

For a ratio λ it maximizes Σ c_a u_a, c_a = P_a - λ (A_a - P_a), over the choice of proposals z_k, where an
atom is covered (u_a = 1) if and only if one of its proposals is chosen. The IoU of a choice is above λ where
this sum is above λ P. Where c_a > 0 the sum itself pushes u_a up, so that u_a <= Σ z_k is enough; where
c_a < 0 it pushes down, and u_a >= z_k is enough. So only z must be integer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64
from scipy import optimize, sparse

from sammed.datasets.pseudo.samdsk.atoms import distinct_rows
from sammed.datasets.pseudo.samdsk.config import CountLimits
from sammed.datasets.pseudo.samdsk.soft_iou import SoftIou

_SCALE = 1e3  # the solver's tolerances are absolute, about 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """The program of one λ (`ratio`), reduced to what a choice with a greater IoU can contain.

    `proposals` are the indices of its columns; `membership` and `gains` (c, in units of P) refer to merged
    atoms.
    """

    ratio: float
    proposals: Int64[np.ndarray, " k"]
    membership: Bool[np.ndarray, "k a"]
    gains: Float[np.ndarray, " a"]
    limits: CountLimits

    @property
    def is_empty(self) -> bool:
        """Whether too few proposals remain for a better choice."""
        return len(self.proposals) < max(1, self.limits.lower)

    @property
    def terms(self) -> int:
        """The number of entries of its constraints, which determines its cost."""
        return int(np.count_nonzero(self.membership)) + len(self.gains)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The result of a program: a choice, or None; no choice has a sum above λ P + `excess` x P."""

    chosen: tuple[int, ...] | None
    excess: float


def build_program(
    fraction: SoftIou, ratio: float, limits: CountLimits, allowed: Bool[np.ndarray, " K"]
) -> Program:
    """Return the program with the proposals that a choice with an IoU above `ratio` can contain.

    A choice with proposal k gains at most what k's own atoms and the best atoms of the others add. A proposal
    without a gaining atom adds nothing, unless more than one proposal is required.
    """
    kept = np.flatnonzero(allowed)
    membership, gains = _merged(fraction.membership[kept], fraction.gains(ratio) / fraction.total)
    while len(kept):
        useful = _useful(membership, gains, limits, ratio)
        if useful.all():
            break
        kept = kept[useful]
        membership, gains = _merged(membership[useful], gains)
    return Program(ratio, kept, membership, gains, limits)


def solve(program: Program, most_nodes: int) -> Step:
    """Return the best choice, or the best within `most_nodes`; `excess` is valid in both cases."""
    if program.is_empty:
        return Step(None, 0.0)
    result = _run(program, 1, {"node_limit": most_nodes, "mip_rel_gap": 0.0})
    least = result.mip_dual_bound if result.mip_dual_bound is not None else result.fun
    if result.x is None:
        return Step(None, _excess(program, least))
    picked = result.x[: len(program.proposals)] > 0.5
    return Step(tuple(program.proposals[picked].tolist()), _excess(program, least))


def relaxed_excess(program: Program) -> float:
    """Return the `excess` of the relaxation, which allows fractions of proposals; it bounds all choices."""
    return 0.0 if program.is_empty else _excess(program, _run(program, 0, {}).fun)


def _excess(program: Program, least: float | None) -> float:
    """Return the excess from the lower bound of the solver."""
    return np.inf if least is None else max(0.0, -least / _SCALE - program.ratio)


def _merged(
    membership: Bool[np.ndarray, "k A"], gains: Float[np.ndarray, " A"]
) -> tuple[Bool[np.ndarray, "k a"], Float[np.ndarray, " a"]]:
    """Merge atoms that the same proposals cover; remove uncovered ones."""
    signatures, which = distinct_rows(np.packbits(membership, axis=0).T)
    sums = np.bincount(which, gains, minlength=len(signatures))
    columns = np.unpackbits(signatures, axis=1, count=len(membership)).astype(bool).T
    covered = columns.any(axis=0)
    return columns[:, covered], sums[covered]


def _useful(
    membership: Bool[np.ndarray, "k a"], gains: Float[np.ndarray, " a"], limits: CountLimits, ratio: float
) -> Bool[np.ndarray, " k"]:
    up = np.maximum(gains, 0.0)
    own = membership @ up
    others = np.sort(own)[::-1][: max(0, limits.upper - 1)].sum()
    most = np.minimum(own + others, up.sum()) + membership @ np.minimum(gains, 0.0)
    useful: Bool[np.ndarray, " k"] = (most > ratio) & ((own > 0) | (limits.lower > 1))
    return useful


def _run(program: Program, whole: int, options: dict[str, float]) -> optimize.OptimizeResult:
    k, a = program.membership.shape
    return optimize.milp(
        np.r_[np.zeros(k), -program.gains * _SCALE],
        integrality=np.r_[np.full(k, whole), np.zeros(a)],
        bounds=optimize.Bounds(0.0, 1.0),
        constraints=_constraints(program),
        options=options,
    )


def _constraints(program: Program) -> list[optimize.LinearConstraint]:
    k, a = program.membership.shape
    up = np.flatnonzero(program.gains > 0)
    down = np.flatnonzero(program.gains < 0)
    # u_a - Σ z_k <= 0 for each atom that gains
    covers = sparse.csr_array(program.membership[:, up].T.astype(np.float64))
    reach = sparse.hstack([-covers, _unit_rows(up, a)])
    # z_k - u_a <= 0 for each proposal of each atom that loses
    proposal, place = program.membership[:, down].nonzero()
    pay = sparse.hstack([_unit_rows(proposal, k), -_unit_rows(down[place], a)])
    count = sparse.csr_array(np.r_[np.ones(k), np.zeros(a)][None])
    limits = program.limits
    return [
        optimize.LinearConstraint(sparse.vstack([reach, pay]), ub=0.0),
        optimize.LinearConstraint(count, lb=limits.lower, ub=limits.upper),
    ]


def _unit_rows(columns: Int64[np.ndarray, " n"], width: int) -> sparse.csr_array:
    """Return a row for each of `columns` with a 1 there."""
    rows = np.arange(len(columns))
    return sparse.csr_array((np.ones(len(columns)), (rows, columns)), shape=(len(columns), width))
