"""Hand-written backpropagation of dense networks: correct, and with one line wrong."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

from typing import NamedTuple

from tests.gradcheck.suite._cases import add, hand_written
from tests.gradcheck.suite._dense_nets import DENSE_NETS, Net
from tests.gradcheck.suite._mutation import mutated


class Slip(NamedTuple):
    """A mistake in one line of a network's gradient, and the leaves it makes wrong."""

    net: str
    name: str
    old: str
    new: str
    leaves: str


BELOW_3 = "layer1/kernel layer1/bias layer2/kernel layer2/bias"
LAYER_1 = "layer1/kernel layer1/bias"

SLIPS = [
    Slip("ridge", "forgets_penalty", "kernel + penalty", "kernel", "kernel"),
    Slip("ridge", "penalty_not_halved", "decay * params", "2 * decay * params", "kernel"),
    Slip("ridge", "penalty_subtracted", "kernel + penalty", "kernel - penalty", "kernel"),
    Slip("ridge", "kernel_not_averaged", "x.T @ error / len(x)", "x.T @ error", "kernel"),
    Slip("ridge", "bias_summed", "jnp.mean(error)", "jnp.sum(error)", "bias"),
    Slip("ridge", "bias_sign", "jnp.mean(error)", "-jnp.mean(error)", "bias"),
    Slip("ridge", "absolute_error", "jnp.mean(error)", "jnp.mean(abs(error))", "bias"),
    Slip("logistic", "residual_sign", "(p - y)", "(y - p)", "kernel bias"),
    Slip("logistic", "squared_error_slope", "(p - y)", "(p - y) * p * (1 - p)", "kernel bias"),
    Slip("logistic", "wrong_batch_size", "len(x)", "(len(x) - 1)", "kernel bias"),
    Slip("logistic", "bias_averaged", "jnp.sum(dz)", "jnp.mean(dz)", "bias"),
    Slip("logistic", "sigmoid_sign", "jnp.exp(-affine", "jnp.exp(affine", "kernel bias"),
    Slip("mlp", "tanh_slope_not_squared", "(1 - h2**2)", "(1 - h2)", BELOW_3),
    Slip("mlp", "tanh_slope_forgotten", " * (1 - h1**2)", "", LAYER_1),
    Slip("mlp", "tanh_slope_of_wrong_layer", "(1 - h1**2)", "(1 - h2**2)", LAYER_1),
    Slip("mlp", "weights_not_transposed", "dz2 @ w2.T", "dz2 @ w2", LAYER_1),
    Slip("mlp", "wrong_layer_weights", "dz2 @ w2.T", "dz2 @ h2.T @ h2", LAYER_1),
    Slip("mlp", "wrong_activations", "h1.T @ dz2", "h2.T @ dz2", "layer2/kernel"),
    Slip("mlp", "penalty_forgotten", " + decay * w2", "", "layer2/kernel"),
    Slip("mlp", "penalty_of_wrong_sign", "+ decay * w1", "- decay * w1", "layer1/kernel"),
    Slip("mlp", "bias_averaged", "jnp.sum(dz1, axis=0)", "jnp.mean(dz1, axis=0)", "layer1/bias"),
    Slip("mlp", "bias_over_all", "jnp.sum(dz2, axis=0)", "jnp.sum(dz2) + 0 * h2[0]", "layer2/bias"),
    Slip("mlp", "outer_product_swapped", "h1.T @ dz2", "dz2.T @ h1", "layer2/kernel"),
    Slip("mlp", "penalty_on_a_bias",
         "jnp.sum(dz3, axis=0)", "jnp.sum(dz3, 0) + decay", "layer3/bias"),
    Slip("relu", "slope_of_inactive_units", "(z1 > 0)", "(z1 > -1)", LAYER_1),
    Slip("relu", "slope_forgotten", " * (z1 > 0)", "", LAYER_1),
    Slip("relu", "leak_forgotten", "1.0, 0.1)", "1.0, 0.0)", BELOW_3),
    Slip("relu", "slope_from_output_sign", "np.where(z2 > 0, 1.0", "np.where(z2 < 0, 1.0", BELOW_3),
    Slip("relu", "last_example_dropped", "h2.T @ dz3", "h2[:-1].T @ dz3[:-1]", "layer3/kernel"),
    Slip("relu", "loss_not_doubled", "2 * (aff", "(aff", BELOW_3 + " layer3/kernel layer3/bias"),
    Slip(
        "relu",
        "averaged_over_batch_only",
        "y.size",
        "len(y)",
        BELOW_3 + " layer3/kernel layer3/bias",
    ),
    Slip("batch_norm", "mean_path_lost", "- jnp.mean(dcentered, axis=0)", "", "hidden/kernel"),
    Slip(
        "batch_norm",
        "spread_path_lost",
        " + dspread * centered / (n * spread)",
        "",
        "hidden/kernel",
    ),
    Slip("batch_norm", "spread_not_squared", "spread**2", "spread", "hidden/kernel"),
    Slip("batch_norm", "spread_sign", "dspread = -jnp", "dspread = jnp", "hidden/kernel"),
    Slip("batch_norm", "unbiased_variance", "(n * spread)", "((n - 1) * spread)", "hidden/kernel"),
    Slip("batch_norm", "scale_not_applied", 'da * params["norm"]["scale"]', "da", "hidden/kernel"),
    Slip("batch_norm", "scale_of_raw_input", "da * normed", "da * z", "norm/scale"),
    Slip("batch_norm", "scale_over_all_features",
         "da * normed, axis=0)", "da * normed) + 0 * z[0]", "norm/scale"),
    Slip("batch_norm", "bias_averaged", "jnp.sum(da, axis=0)", "jnp.mean(da, axis=0)", "norm/bias"),
    Slip("batch_norm", "epsilon_forgotten", " + epsilon)", ")", "ALL"),
    Slip("layer_norm", "mean_path_lost", " - along_mean", "", "hidden/kernel"),
    Slip("layer_norm", "spread_path_lost", " - along_spread", "", "hidden/kernel"),
    Slip(
        "layer_norm",
        "over_the_batch",
        "along_mean = jnp.mean(dnormed, axis=-1",
        "along_mean = jnp.mean(dnormed, axis=0",
        "hidden/kernel",
    ),
    Slip("layer_norm", "spread_forgotten", ") / spread\n", ")\n", "hidden/kernel"),
    Slip("layer_norm", "scale_not_applied",
         'dout * params["norm"]["scale"]', "dout", "hidden/kernel"),
    Slip("layer_norm", "scale_without_center", "dout * normed", "dout * z", "norm/scale"),
    Slip("layer_norm", "half_of_the_batch",
         "jnp.sum(dout, axis=0)", "jnp.sum(dout[:3], axis=0)", "norm/bias"),
]  # fmt: skip


def leaf_set(text: str, net: Net) -> frozenset[str]:
    if text != "ALL":
        return frozenset(text.split())
    params, _ = net.example(0)
    return frozenset(f"{a}/{b}" for a, layer in params.items() for b in layer)


def arguments(net: Net, gradient, seed: int) -> dict:
    params, args = net.example(seed)
    return {"function": net.loss, "params": params, "args": args, "gradient": gradient}


def add_net(name: str, net: Net, theme: str) -> None:
    """Register the correct gradient at two examples."""
    for seed in (100, 200):
        make = lambda net=net, seed=seed: arguments(net, net.gradient, seed)
        add(f"{name}_by_hand_{seed}", make, theme=theme, verdict="pass")


def add_slip(slip: Slip, net: Net, seed: int, theme: str) -> None:
    """Register the gradient with one mistake."""
    wrong = lambda: arguments(net, mutated(net.gradient, slip.old, slip.new), seed)
    add(
        f"{slip.net}_{slip.name}",
        wrong,
        theme=theme,
        verdict="fail",
        leaves=leaf_set(slip.leaves, net),
        find_cause=hand_written,
    )


for net_name, net in DENSE_NETS.items():
    add_net(net_name, net, __name__)
for number, slip in enumerate(SLIPS):
    add_slip(slip, DENSE_NETS[slip.net], 300 + number, __name__)
