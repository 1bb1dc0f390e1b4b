"""Custom derivative rules with a mistake, alone and wrapped in the transformations users nest."""

from typing import NamedTuple

from tests.gradcheck.suite._cases import add, rule
from tests.gradcheck.suite._mutation import mutated
from tests.gradcheck.suite._rules import RULES, WRAPPERS, example, loss_through

BEFORE = "kernel bias"
EVERY = "kernel bias scale"


class Flaw(NamedTuple):
    """A mistake in one line of a rule, the wrapper it hides in, and the leaves it makes wrong."""

    rule: str
    name: str
    part: str
    old: str
    new: str
    wrapper: str = "plain"
    leaves: str = BEFORE


FLAWS = [
    Flaw("softplus", "sign", "backward", "(g *", "(-g *"),
    Flaw("softplus", "slope_of_negative", "backward", "sigmoid(x)", "sigmoid(-x)", "jit"),
    Flaw("softplus", "cotangent_ignored", "backward", "g *", "0.1 *", "scan"),
    Flaw("softplus", "tanh_for_sigmoid", "backward", "sigmoid", "hard_tanh", "remat"),
    Flaw("softplus", "scale", "backward", "(g *", "(1.01 * g *", "cond"),
    Flaw("softplus", "value_shifted",
         "forward", "return softplus(x)", "return 0.1 + softplus(x)", "plain", EVERY),
    Flaw("softplus", "value_scaled",
         "forward", "return softplus(x)", "return 0.9 * softplus(x)", "jit", EVERY),
    Flaw("softplus", "value_of_another",
         "forward", "return softplus(x)", "return jax.nn.relu(x)", "scan", EVERY),
    Flaw("softplus", "wrong_value_saved",
         "forward", "softplus(x), x", "softplus(x), softplus(x)", "vmap"),
    Flaw("gelu", "second_term_lost", "backward", " + 0.5 * x * (1 - t**2) * inner", ""),
    Flaw("gelu", "cube_slope", "backward", "3 * 0.045", "0.045", "jit"),
    Flaw("gelu", "slope_not_squared", "backward", "(1 - t**2)", "(1 - t)", "map"),
    Flaw("gelu", "small_constant", "backward", "0.045", "0.04501", "plain"),
    Flaw("gelu", "saved_before_cube", "forward", "(x, t)", "(x, x)", "jit_scan_remat"),
    Flaw("huber", "not_clipped", "backward", "jnp.clip(x, -1.0, 1.0)", "x"),
    Flaw("huber", "clipped_at_two", "backward", "-1.0, 1.0", "-2.0, 2.0", "vmap"),
    Flaw("huber", "negative_side", "backward", "-1.0, 1.0", "0.0, 1.0", "switch"),
    Flaw("huber", "doubled", "backward", "(g *", "(2 * g *", "vmap_jit_cond"),
    Flaw("swish", "second_term_lost", "jvp", " + x * s * (1 - s)", ""),
    Flaw("swish", "second_term_sign", "jvp", "s + x", "s - x", "jit"),
    Flaw("swish", "sigmoid_slope_only", "jvp", "(s + x * s * (1 - s))", "s * (1 - s)", "scan"),
    Flaw("swish", "value_without_input", "jvp", "return x * s,", "return s,", "cond", EVERY),
    Flaw("swish", "tangent_halved", "jvp", "dx * (s", "0.5 * dx * (s", "scan_in_scan"),
    Flaw("arctan_squash", "inner_slope", "jvp", "4 * x**2", "x**2"),
    Flaw("arctan_squash", "sign_of_square", "jvp", "1 + 4 * x**2", "1.5 - 4 * x", "remat"),
    Flaw("arctan_squash", "value_not_halved",
         "jvp", "jnp.arctan(2 * x) / 2", "jnp.arctan(2 * x)", "map", EVERY),
    Flaw("smooth_root", "inverse", "jvp", "x / y * dx", "dx / y"),
    Flaw("smooth_root", "absolute", "jvp", "x / y * dx", "abs(x) / y * dx", "loop"),
    Flaw("smooth_root", "doubled", "jvp", "x / y * dx", "2 * x / y * dx", "vmap_jit_cond"),
    Flaw("log_sum_exp", "not_normalized", "backward", "x - y[..., None]", "x - x[..., :1]"),
    Flaw("log_sum_exp", "cotangent_squared",
         "backward", "g[..., None] *", "g[..., None] ** 2 *", "jit"),
    Flaw("log_sum_exp", "sign", "backward", "(g[", "(-g[", "scan"),
    Flaw("normalize", "mean_path_lost", "backward", " - mean", ""),
    Flaw("normalize", "spread_path_lost", "backward", " - along", "", "jit"),
    Flaw("normalize", "along_sign", "backward", " - along", " + along", "remat"),
    Flaw("normalize", "spread_squared", "backward", "* inverse", "* inverse**2", "jit_scan_remat"),
    Flaw("softmax", "inner_lost", "jvp", " - inner", ""),
    Flaw("softmax", "summed_over_rows", "jvp", "dx, axis=-1", "dx, axis=0", "jit"),
    Flaw("softmax", "sign", "jvp", "dx - inner", "inner - dx", "vmap"),
]  # fmt: skip


def add_flaw(flaw: Flaw, seed: int) -> None:
    whole = RULES[flaw.rule]

    def make():
        part = mutated(getattr(whole, flaw.part), flaw.old, flaw.new)
        wrong = whole._replace(**{flaw.part: part}).build()
        return {"function": loss_through(WRAPPERS[flaw.wrapper](wrong)), **example(seed)}

    add(
        f"{flaw.rule}_{flaw.name}_in_{flaw.wrapper}",
        make,
        theme=__name__,
        verdict="fail",
        leaves=frozenset(flaw.leaves.split()),
        find_cause=rule(*whole.functions),
        truth=loss_through(WRAPPERS[flaw.wrapper](whole.primal)),
    )


for number, flaw in enumerate(FLAWS):
    add_flaw(flaw, 700 + number)
