"""X-04: how far an exponential moving average looks back, and how slowly it starts."""

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import _style
from experiments._experiment import Answer, Experiment, Measured, verdict_of
from jaxopt_dl import optim

DAYS = 365
DECAYS = (0.5, 0.9, 0.98)
EARLY = 20


def measure(seeds: int, quick: bool) -> Measured:
    del quick
    early = {str(decay): {"corrected": [], "uncorrected": [], "window": []} for decay in DECAYS}
    curves: dict = {}
    for seed in range(seeds):
        season, series = _temperatures(seed)
        for decay in DECAYS:
            found = _averages(series, decay)
            for name, curve in found.items():
                early[str(decay)][name].append(_distance(curve, season))
            if seed == 0:
                curves[str(decay)] = found
    ones = np.ones(10)
    starts = _averages(ones, 0.9)["uncorrected"]
    return {
        "early": early,
        "curves": curves,
        "series": _temperatures(0)[1],
        "weight_after": {"1": starts[0], "10": starts[9]},
        "variance": _variance_of_white_noise(0.9),
    }


def judge(measured: Measured) -> Answer:
    medians = {
        decay: {name: float(np.median(values)) for name, values in found.items()}
        for decay, found in measured["early"].items()
    }
    corrected = all(m["corrected"] < m["uncorrected"] for m in medians.values())
    window = all(m["window"] <= min(m["corrected"], m["uncorrected"]) for m in medians.values())
    slow = medians["0.98"]
    finding = (
        f"Over the first {EARLY} days at decay 0.98 the average errs by {slow['uncorrected']:.1f} "
        f"degrees uncorrected, {slow['corrected']:.1f} corrected, {slow['window']:.1f} for a plain "
        f"mean of the last 50 days (medians). After one step an average at 0.9 has only "
        f"{measured['weight_after']['1']:.1f} of its weight, after ten "
        f"{measured['weight_after']['10']:.4f}. White noise keeps "
        f"{measured['variance']:.4f} of its variance, as a mean of 19 values does (0.0526). "
    )
    finding += (
        "The window mean is the most accurate at every decay."
        if window
        else "The window mean is not the most accurate at every decay: "
        + ", ".join(
            f"at {decay} it errs by {m['window']:.2f}, the corrected average by "
            f"{m['corrected']:.2f}"
            for decay, m in medians.items()
        )
        + "."
    )
    return Answer(verdict_of(corrected, window), finding)


def draw(measured: Measured) -> Figure:
    figure, axes = _style.panels(2)
    days = np.arange(1, DAYS + 1)
    first = slice(0, 60)
    axes[0].plot(days, measured["series"], ".", color="0.75", markersize=3, label="daily values")
    for number, decay in enumerate(DECAYS):
        color = _style.COLORS[number]
        curve = measured["curves"][str(decay)]
        axes[0].plot(days, curve["corrected"], color=color, label=f"decay {decay}")
        axes[1].plot(days[first], curve["corrected"][first], color=color, label=f"decay {decay}")
        axes[1].plot(days[first], curve["uncorrected"][first], color=color, linestyle="--")
    axes[1].plot([], [], color="0.3", linestyle="--", label="uncorrected")
    for axis in axes:
        axis.set_xlabel("day")
        axis.set_ylabel("temperature (degrees Fahrenheit)")
        axis.legend(ncols=2)
    return figure


def _temperatures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the seasonal mean and the noisy values of one year."""
    day = np.arange(DAYS)
    season = 54 - 16 * np.cos(2 * np.pi * day / DAYS)
    return season, season + np.random.default_rng(seed).normal(scale=5.0, size=DAYS)


def _averages(series: np.ndarray, decay: float) -> dict[str, np.ndarray]:
    window = round(1 / (1 - decay))
    sums = np.cumsum(np.concatenate([[0.0], series]))
    counts = np.minimum(np.arange(1, series.size + 1), window)
    ends = np.arange(1, series.size + 1)
    return {
        "corrected": _ema(series, decay, debias=True),
        "uncorrected": _ema(series, decay, debias=False),
        "window": (sums[ends] - sums[ends - counts]) / counts,
    }


def _ema(series: np.ndarray, decay: float, *, debias: bool) -> np.ndarray:
    block = optim.ema(decay, debias=debias)

    def step(state, value):
        mean, state = block.update(value, state)
        return state, mean

    values = jnp.asarray(series, jnp.float32)
    return np.asarray(jax.lax.scan(step, block.init(values[0]), values)[1], np.float64)


def _distance(curve: np.ndarray, season: np.ndarray) -> float:
    return float(np.sqrt(np.mean((curve[:EARLY] - season[:EARLY]) ** 2)))


def _variance_of_white_noise(decay: float) -> float:
    noise = np.random.default_rng(1).normal(size=200_000)
    return float(np.var(_ema(noise, decay, debias=False)[1000:]))


EXPERIMENT = Experiment(
    id="X-04",
    title="How far a moving average looks back",
    claim=(
        "Decay 0.9 averages over about 10 values and 0.98 over about 50; bias correction "
        "removes the slow start."
    ),
    setup=(
        "A year of daily temperatures in Fahrenheit, 54 with a wave of 16 and noise of 5; "
        "averages at decay 0.5, 0.9 and 0.98, and the mean of the last 1/(1 - decay) days."
    ),
    criterion=(
        "over the first 20 days the corrected average lies closer to the season than the "
        "uncorrected one, and the window mean closest of all."
    ),
    seeds=20,
    measure=measure,
    judge=judge,
    draw=draw,
    caption=(
        "Moving averages of a noisy year (above) and their first 60 days with and without bias "
        "correction (below)."
    ),
)
