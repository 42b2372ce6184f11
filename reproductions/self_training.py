"""Training on one's own predictions: noise is averaged away, and the signal with it."""

import numpy as np

from ci_theory import Status
from ci_theory.theory.inheritance.chain import Training, chain
from ci_theory.theory.inheritance.combination import Joint
from ci_theory.theory.inheritance.operator import RidgeStage, risk
from ci_theory.theory.spectra.groups import plain_rows
from reproductions._judge import draws, numbers, signs

P, N, ROUNDS = 100, 60, np.arange(9)
LARGE = 2 * P
FLAT, SPIKED = np.ones(P), np.r_[np.full(10, 40.0), np.ones(LARGE - 10)]
EVEN, HEAD = np.full(P, P**-0.5), np.r_[np.full(10, 10**-0.5), np.zeros(LARGE - 10)]
ALL = np.full(LARGE, LARGE**-0.5)


def line(rng: np.random.Generator, law, w, noise, ridge=0.0) -> list[list[float]]:
    """Return risk of the signal, risk of the noise and what is left of the target, each round."""
    signal, noisy, found = w, None, []
    rows = N * len(w) // P
    for _ in ROUNDS:
        x = rng.normal(size=(rows, len(w))) * np.sqrt(law)
        back = np.linalg.solve(x @ x.T + ridge * np.eye(rows), x).T  # labels to weights
        signal = back @ (x @ signal)
        noisy = back * np.sqrt(noise) if noisy is None else back @ (x @ noisy)
        found.append([law @ (signal - w) ** 2, np.sum(law[:, None] * noisy**2), signal @ w])
    return found


def ours(law, w, noise):
    """Return the chain of ci_theory: the risk of each round, and what is left of the target."""
    covariance = np.diag(law)

    def stage(target, noise):
        rows = plain_rows(2 * N, noise)
        return RidgeStage(covariance=covariance, target=target, groups=rows, ridge=0.0)

    made, found = chain(None, [Training(stage=stage(w, noise))]), []
    again = Training(stage=stage(0 * w, 0.0), labels=(1.0,))
    for _ in ROUNDS:
        assert int(made.status) == Status.OK
        model, joint = made.model(-1), made.joint
        found.append([float(risk(model, covariance, w)), float(model.mean @ w)])
        last = Joint(means=joint.means[-1:], covariance=joint.covariance[-1:, -1:])
        made = chain(last, [again])
    return np.array(found).T


def measure(runs: int = 600):
    """Compare both parts with powers of n/p, and look for a U."""
    flat = draws("self-training", runs, lambda rng: line(rng, FLAT, EVEN, 1.0))
    spiked = draws(
        "self-training spiked", max(runs // 2, 2), lambda rng: line(rng, SPIKED, HEAD, 4.0)
    )
    even = draws("self-training even", runs // 6 + 2, lambda rng: line(rng, SPIKED, ALL, 4.0))
    share, variance = N / P, N / (P - N - 1)
    risks, left = ours(SPIKED, HEAD, 4.0)
    total = spiked[..., 0] + spiked[..., 1]
    low = int(np.argmin(risks))

    def u(values, at):  # both ends above the middle
        return values[:, [0, -1]] - values[:, [at]]

    tame = draws("self-training ridge", runs, lambda rng: line(rng, FLAT, EVEN, 4.0, 60.0))
    held = tame[..., 0] + tame[..., 1]
    plain = flat[..., 0] + flat[..., 1]
    return [
        numbers(
            "A systematic part grows by forgetting: isotropic, ‖w‖²(1 − (n/p)^(t+1))",
            "abstract; the form derived here, exact at every size",
            flat[..., 0],
            1 - share ** (ROUNDS + 1),
            decoys={
                "nothing is forgotten": 1 - share,
                "twice as fast": 1 - share ** (2 * ROUNDS + 1),
            },
        ),
        numbers(
            "A stochastic part decays: isotropic, σ²n/(p − n − 1) (n/p)^t",
            "abstract; the form derived here, exact at every size",
            flat[..., 1],
            variance * share**ROUNDS,
            decoys={"it stays": variance, "twice as fast": variance * share ** (2 * ROUNDS)},
        ),
        signs(
            "The test risk is U-shaped over the rounds: isotropic inputs, least norm",
            "abstract, which names no condition",
            u(plain, 2),
            control=u(flat[..., 0], 2),
            where="the signal's part, which only grows",
        ),
        signs(
            "The test risk is U-shaped over the rounds: isotropic inputs, with a ridge",
            "abstract",
            u(held, 2),
            control=u(tame[..., 0], 2),
            where="the signal's part, which only grows",
        ),
        signs(
            "The test risk is U-shaped over the rounds: spiked covariance, target on the spikes",
            "abstract",
            u(total, low),
            control=u(spiked[..., 0], low),
            where="the signal's part, which only grows",
        ),
        numbers(
            f"Its course, lowest in round {low}, is that of the chain of ci_theory",
            "abstract (deterministic recursion); formula ours",
            total,
            risks,
            slack=1 / (P - N),
            decoys={"no round changes anything": risks[0]},
            effect=0.05,
        ),
        numbers(
            "Rounds are a spectral filter: what is left of a target on the spikes",
            "abstract; formula ours",
            spiked[..., 2],
            left,
            slack=1 / N,
            decoys={"as an isotropic one": share ** (ROUNDS + 1)},
        ),
        signs(
            "The filter keeps strong directions and suppresses weak ones",
            "abstract",
            (spiked[: len(even), 1:, 2] - even[:, 1:, 2]),
            control=flat[: len(even), 1:, 2] - flat[-len(even) :, 1:, 2],
            where="isotropic inputs",
        ),
    ]
