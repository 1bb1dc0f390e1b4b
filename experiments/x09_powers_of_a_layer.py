"""X-09: what repeating one linear layer does to a signal and its gradient."""

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import _style
from experiments._experiment import Answer, Experiment, Measured, verdict_of

WEIGHTS = (0.5, 0.9, 1.0, 1.1, 1.5)
DEPTHS = (1, 10, 25, 50, 75, 100, 125, 150)
WIDTH = 4


def measure(seeds: int, quick: bool) -> Measured:
    del seeds
    depths = DEPTHS[:4] if quick else DEPTHS
    found = {}
    with jax.enable_x64(True):
        for weight in WEIGHTS:
            pairs = [_norms(weight, depth) for depth in depths]
            signals, gradients = zip(*pairs, strict=True)
            found[str(weight)] = {"signal": signals, "gradient": gradients}
    return {"depths": depths, "norms": found}


def judge(measured: Measured) -> Answer:
    slopes = {
        weight: {name: _slope(measured["depths"], curve) for name, curve in norms.items()}
        for weight, norms in measured["norms"].items()
    }
    exact = [
        abs(slope - np.log(float(weight))) < 1e-3
        for weight, found in slopes.items()
        for slope in found.values()
    ]
    at = list(measured["depths"]).index(50)
    values = ", ".join(
        f"{norms['signal'][at]:.2g} for {weight}" for weight, norms in measured["norms"].items()
    )
    finding = (
        f"After 50 layers the signal has {values} of its size, and the gradient the same; the "
        "logarithm of both is linear in the depth with the logarithm of the weight as slope."
    )
    return Answer(verdict_of(*exact), finding)


def draw(measured: Measured) -> Figure:
    figure, (axes,) = _style.panels(height=4.4)
    for number, (weight, norms) in enumerate(measured["norms"].items()):
        style = _style.marked(number)
        axes.semilogy(measured["depths"], norms["signal"], label=f"weight {weight}", **style)
    axes.set_xlabel("depth (layers)")
    axes.set_ylabel("size of the signal, and of the gradient")
    axes.legend()
    return figure


def _norms(weight: float, depth: int) -> tuple[float, float]:
    """Return by what factor `depth` layers `weight * I` change a signal and a gradient."""
    kernel = weight * jnp.eye(WIDTH)

    def network(x):
        return jax.lax.fori_loop(0, depth, lambda _, out: out @ kernel, x)

    x = jnp.full((WIDTH,), 0.5)
    signal = jnp.linalg.norm(network(x)) / jnp.linalg.norm(x)
    gradient = jax.grad(lambda x: jnp.sum(network(x)))(x)
    return float(signal), float(jnp.linalg.norm(gradient) / np.sqrt(WIDTH))


def _slope(depths, norms) -> float:
    return float(np.polyfit(depths, np.log(norms), 1)[0])


EXPERIMENT = Experiment(
    id="X-09",
    title="Powers of a layer explode or vanish",
    claim=(
        "Weights slightly above or below the identity make activations and gradients explode or "
        "vanish exponentially with depth; the same holds for any repeated operation."
    ),
    setup="Linear networks whose every layer is a multiple of the identity, 1 to 150 layers deep.",
    criterion=(
        "the logarithms of signal and gradient are linear in the depth, with the logarithm of "
        "the weight as slope (within 0.001)."
    ),
    seeds=1,
    measure=measure,
    judge=judge,
    draw=draw,
    caption="Size of a signal after so many layers, for five weights, on a logarithmic axis.",
)
