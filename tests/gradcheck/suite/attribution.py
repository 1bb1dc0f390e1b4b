"""Who is at fault: rules wherever they stand, functions given to operations, or nobody."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import functools

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.custom_derivatives import linear_call
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from tests.gradcheck.suite._cases import add, bug, cause_in, correct, normal, rule

X, Y = normal(1, 6, 4), normal(2, 6, 3)


def weighted(operation):
    """A loss in which `x` passes through an operation and `y` does not."""
    return lambda p: jnp.sum(jnp.tanh(operation(p["x"])) * p["y"])


def vectors(seed, operation):
    params = {"x": normal(seed, 4), "y": normal(seed + 1, 4)}
    return {"function": weighted(operation), "params": params}


# Libraries stop gradients on purpose; that is no fault of the user's.


class Dropped(eqx.Module):
    first: eqx.nn.Linear
    dropout: eqx.nn.Dropout
    second: eqx.nn.Linear

    def __call__(self, x, key, rate=None):
        hidden = jnp.tanh(self.first(x))
        layer = self.dropout if rate is None else eqx.nn.Dropout(rate)
        return self.second(layer(hidden, key=key))


def dropped_loss(model, x, y, rate=None):
    keys = jax.random.split(jax.random.key(7), len(x))
    out = jax.vmap(lambda x, key: model(x, key, rate))(x, keys)
    return jnp.mean((out - y) ** 2)


def dropped_model():
    keys = jax.random.split(jax.random.key(3), 2)
    return Dropped(
        eqx.nn.Linear(4, 5, key=keys[0]), eqx.nn.Dropout(0.4), eqx.nn.Linear(5, 3, key=keys[1])
    )


@correct(truth=functools.partial(dropped_loss, rate=0.4))
def equinox_dropout_is_active_and_its_rate_a_leaf():
    return {"function": dropped_loss, "params": dropped_model(), "args": (X, Y)}


@correct(truth=functools.partial(dropped_loss, rate=0.4))
def equinox_dropout_with_stop_gradient_allowed():
    allow = ("stop_gradient",)
    return {"function": dropped_loss, "params": dropped_model(), "args": (X, Y), "allow": allow}


def stopped_beside_dropout(model, x, y):
    return dropped_loss(model, x, y) + jnp.mean(jax.lax.stop_gradient(model.second.bias) ** 2)


def open_beside_dropout(model, x, y):
    return dropped_loss(model, x, y, rate=0.4) + jnp.mean(model.second.bias**2)


@bug(
    {"second/bias"},
    lambda arguments: stop_in(stopped_beside_dropout),
    truth=open_beside_dropout,
)
def own_stop_gradient_beside_that_of_a_library():
    return {"function": stopped_beside_dropout, "params": dropped_model(), "args": (X, Y)}


def stop_in(*functions):
    found = cause_in(("surrogate", "stop_gradient"), *functions)
    return found._replace(names=found.names | {"stop_gradient"})


def stop_handed_over(p, x):
    stop = eqx.nn.Lambda(jax.lax.stop_gradient)
    return jnp.mean((x @ p["kernel"] + stop(p["bias"])) ** 2)


@bug({"bias"}, lambda arguments: stop_in(stop_handed_over))
def stop_gradient_handed_to_a_library():
    """Equinox only calls it; it is the user's all the same."""
    params = {"kernel": normal(3, 4, 3), "bias": normal(4, 3)}
    return {"function": stop_handed_over, "params": params, "args": (X,)}


def stop_mapped_over_a_tree(p, x):
    frozen = jax.tree.map(jax.lax.stop_gradient, p["encoder"])
    return jnp.mean(jnp.tanh(x @ frozen["kernel"]) @ p["head"] ** 2)


@bug({"encoder/kernel"}, lambda arguments: stop_in(stop_mapped_over_a_tree))
def stop_gradient_mapped_over_a_tree():
    params = {"encoder": {"kernel": normal(5, 4, 3)}, "head": normal(6, 3)}
    return {"function": stop_mapped_over_a_tree, "params": params, "args": (X,)}


class Normalized(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.SpectralNorm(nn.Dense(3))(x, update_stats=True)


SPECTRAL = Normalized().init(jax.random.key(2), jnp.asarray(X, jnp.float32))


def spectral_loss(p, x):
    rest = {"batch_stats": SPECTRAL["batch_stats"]}
    out, _ = Normalized().apply({"params": p, **rest}, x, mutable=["batch_stats"])
    return jnp.sum(jnp.sin(out))


@correct(truth=spectral_loss, noise=1e-6)
def flax_spectral_norm_in_training():
    """One step of power iteration, through which Flax lets no gradient."""
    return {"function": spectral_loss, "params": SPECTRAL["params"], "args": (X,)}


def perturbed_choice(p, x):
    choose = optax.perturbations.make_perturbed_fun(
        lambda z: jax.nn.one_hot(jnp.argmax(z, -1), 3), num_samples=64, sigma=0.5
    )
    chosen = jnp.asarray(choose(jax.random.key(0), x @ p["kernel"]))
    return jnp.mean((chosen - jax.nn.softmax(Y)) ** 2)


@correct(truth=perturbed_choice)
def estimated_gradient_of_a_perturbed_choice():
    """Optax differentiates the distribution, not the drawn numbers."""
    return {"function": perturbed_choice, "params": {"kernel": normal(7, 4, 3)}, "args": (X,)}


def gamma_sample(p):
    return jnp.sum(jax.random.gamma(jax.random.key(1), jnp.exp(p["x"])) * p["y"])


@correct(truth=gamma_sample)
def reparameterized_gamma_sample():
    params = {"x": normal(8, 4), "y": normal(9, 4)}
    return {"function": gamma_sample, "params": params}


# Functions given to operations of JAX.


def root_of(tangent_solve):
    def cubic_root(x):
        def solve(f, start):
            newton = lambda _, y: y - f(y) / (3 * y**2 + 1)
            return jax.lax.fori_loop(0, 60, newton, start)

        return jax.lax.custom_root(lambda y: y**3 + y - x, 0 * x, solve, tangent_solve)

    return cubic_root


def divide(g, b):
    return b / g(jnp.ones_like(b))


def divide_too_little(g, b):
    return 0.9 * b / g(jnp.ones_like(b))


def forgets_to_divide(g, b):
    return b


def add_root(name, tangent_solve, wrong):
    operation = root_of(tangent_solve)
    facts = {"verdict": "pass"}
    if wrong:
        cause = functools.partial(cause_in, "custom_rule", operation, tangent_solve)
        facts = {"verdict": "fail", "leaves": frozenset({"x"}), "find_cause": lambda _: cause()}
    add(f"root_{name}", lambda: vectors(10, operation), theme=__name__, **facts)


add_root("with_its_tangent", divide, wrong=False)
add_root("with_a_tangent_too_small", divide_too_little, wrong=True)
add_root("with_a_tangent_not_divided", forgets_to_divide, wrong=True)

MATRIX = {"matrix": normal(12, 3, 3) + 3 * np.eye(3), "b": normal(13, 3)}
NAMES = {"kind": "custom_rule", "names": {"custom_linear_solve"}}


@bug({"matrix", "b"}, **NAMES)
def linear_solve_called_symmetric():
    def loss(p):
        solve = lambda _, b: jnp.linalg.solve(p["matrix"], b)
        product = lambda v: p["matrix"] @ v
        y = jax.lax.custom_linear_solve(product, p["b"], solve, symmetric=True)  # planted
        return jnp.sum(y**2)

    return {"function": loss, "params": MATRIX}


@bug({"matrix", "b"}, **NAMES)
def linear_solve_not_transposed():
    def loss(p):
        solve = lambda _, b: jnp.linalg.solve(p["matrix"], b)
        product = lambda v: p["matrix"] @ v
        y = jax.lax.custom_linear_solve(product, p["b"], solve, transpose_solve=solve)  # planted
        return jnp.sum(y**2)

    return {"function": loss, "params": MATRIX}


@bug({"matrix"}, **NAMES)
def linear_solve_of_another_product():
    def loss(p):
        product = lambda v: 2 * (p["matrix"] @ v)
        solve = lambda _, b: jnp.linalg.solve(p["matrix"], b)
        back = lambda _, b: jnp.linalg.solve(p["matrix"].T, b)
        y = jax.lax.custom_linear_solve(product, p["b"], solve, transpose_solve=back)  # planted
        return jnp.sum(y**2)

    return {"function": loss, "params": MATRIX}


@correct()
def linear_solve_transposed():
    def loss(p):
        solve = lambda _, b: jnp.linalg.solve(p["matrix"], b)
        back = lambda _, b: jnp.linalg.solve(p["matrix"].T, b)
        product = lambda v: p["matrix"] @ v
        return jnp.sum(jax.lax.custom_linear_solve(product, p["b"], solve, back) ** 2)

    return {"function": loss, "params": MATRIX}


@correct()
def linear_solve_of_a_symmetric_matrix():
    def loss(p):
        matrix = p["matrix"] @ p["matrix"].T
        solve = lambda _, b: jnp.linalg.solve(matrix, b)
        return jnp.sum(
            jax.lax.custom_linear_solve(lambda v: matrix @ v, p["b"], solve, symmetric=True) ** 2
        )

    return {"function": loss, "params": MATRIX}


FACTORS = np.array([1.0, 2.0, -0.5, 3.0])


def scale(factors, x):
    return factors * x


def scale_twice(factors, g):
    return 2 * factors * g


@bug({"x"}, kind="custom_rule", names={"linear_call"})
def linear_call_with_a_wrong_transpose():
    def scaled(x):
        return linear_call(scale, scale_twice, jnp.asarray(FACTORS), x)  # planted

    return vectors(14, scaled)


@correct()
def linear_call_with_its_transpose():
    return vectors(14, lambda x: linear_call(scale, scale, jnp.asarray(FACTORS), x))


def own_primitive(name, slope):
    """A sine of the user's own, with a rule registered for it."""
    sine = Primitive(name)
    sine.def_impl(jnp.sin)
    sine.def_abstract_eval(lambda x: x)
    mlir.register_lowering(sine, mlir.lower_fun(jnp.sin, multiple_results=False))
    batching.defvectorized(sine)
    ad.defjvp(sine, lambda dx, x: slope(x) * dx)
    return sine


@bug({"x"}, kind="custom_rule", names={"wrong_own_sine", "<lambda>"})
def primitive_with_a_wrong_derivative():
    sine = own_primitive("wrong_own_sine", jnp.sin)
    return vectors(15, lambda x: sine.bind(x))  # planted


@correct()
def primitive_with_its_derivative():
    sine = own_primitive("right_own_sine", jnp.cos)
    return vectors(15, lambda x: sine.bind(x))


def host_sine(x):
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def host_sine_forward(x):
    return host_sine(x), x


def host_sine_backward(x, g):
    return (g * jnp.cos(x),)


def host_sine_wrong_backward(x, g):
    return (g * jnp.sin(x),)


def called_on_host(backward):
    function = jax.custom_vjp(host_sine)
    function.defvjp(host_sine_forward, backward)
    return vectors(16, function)


@correct()
def callback_without_a_way_to_map_it():
    return called_on_host(host_sine_backward)


@bug({"x"}, rule(host_sine, host_sine_forward, host_sine_wrong_backward))
def callback_with_a_wrong_rule():
    return called_on_host(host_sine_wrong_backward)


# Rules with masks and integers: no surrogates, although zeros would make them flat.


def masked_square(x, mask):
    return jnp.where(mask, x**2, 0.0)


def masked_forward(x, mask):
    return masked_square(x, mask), (x, mask)


def masked_backward(saved, g):
    x, mask = saved
    return (jnp.where(mask, 2 * x * g, 0.0), None)


def mask_forgotten(saved, g):
    x, _ = saved
    return (2 * x * g, None)


MASK = np.array([True, False, True, True])


def masked(backward):
    function = jax.custom_vjp(masked_square)
    function.defvjp(masked_forward, backward)
    return vectors(17, lambda x: function(x, MASK))


@correct()
def rule_with_a_mask():
    return masked(masked_backward)


@bug({"x"}, rule(masked_square, masked_forward, mask_forgotten), components={"x": {1}})
def rule_that_forgets_its_mask():
    return masked(mask_forgotten)


def power(x, exponent):
    return x**exponent


def power_forward(x, exponent):
    return x**exponent, (x, exponent)


def exponent_not_lowered(saved, g):
    x, exponent = saved
    return (g * exponent * x**exponent, None)


@bug({"x"}, rule(power, power_forward, exponent_not_lowered))
def rule_with_an_integer_exponent():
    function = jax.custom_vjp(power)
    function.defvjp(power_forward, exponent_not_lowered)
    in_scan = lambda x: jax.lax.scan(lambda c, n: (c, function(c, n)), x, jnp.arange(2, 4))[1][0]
    return vectors(18, in_scan)


def chosen_rows(table, rows):
    return table[rows]


def chosen_forward(table, rows):
    return table[rows], (table, rows)


def overwrites_repeated_rows(saved, g):
    table, rows = saved
    return (jnp.zeros_like(table).at[rows].set(g), None)


@bug({"table"}, rule(chosen_rows, chosen_forward, overwrites_repeated_rows))
def rule_of_a_lookup_that_forgets_to_add():
    function = jax.custom_vjp(chosen_rows)
    function.defvjp(chosen_forward, overwrites_repeated_rows)
    rows = np.array([2, 0, 2, 1])
    loss = lambda p: jnp.sum(jnp.sin(function(p["table"], rows)) * p["w"])
    return {"function": loss, "params": {"table": normal(19, 4, 2), "w": normal(20, 4, 2)}}


# Rules written in every way there is.


def own_slope(primals, tangents):
    (x,), (dx,) = primals, tangents
    return jnp.sin(x), dx * x


def own_forward(x):
    return jnp.sin(x), x


def own_backward(x, g):
    return (g * x,)


@bug({"x"}, rule(own_slope))
def own_rule_for_a_function_of_jax():
    function = jax.custom_jvp(jnp.sin)
    function.defjvp(own_slope)
    return vectors(21, function)


@bug({"x"}, rule(own_forward, own_backward))
def own_backward_for_a_function_of_jax():
    function = jax.custom_vjp(jnp.sin)
    function.defvjp(own_forward, own_backward)
    return vectors(22, function)


class Activation:
    """A rule made of methods."""

    def __init__(self, gain):
        self.gain = gain
        self.apply = jax.custom_vjp(self.primal)
        self.apply.defvjp(self.forward, self.backward)

    def primal(self, x):
        return jnp.sin(self.gain * x)

    def forward(self, x):
        return jnp.sin(self.gain * x), x

    def backward(self, x, g):
        return (g * jnp.cos(self.gain * x),)


@bug({"x"}, rule(Activation.primal, Activation.forward, Activation.backward))
def methods_that_forget_the_gain():
    return vectors(23, Activation(1.7).apply)


@correct()
def methods_with_gain_one():
    return vectors(23, Activation(1.0).apply)


def sine_of(gain, x):
    return jnp.sin(gain * x)


@bug({"x"}, rule(sine_of, own_slope))
def rule_on_a_partial_function():
    function = jax.custom_jvp(functools.partial(sine_of, 1.0))
    function.defjvp(own_slope)
    return vectors(24, function)


def times(f, x, count):
    return f(x) * count


def times_forward(f, x, count):
    return f(x) * count, x


def times_backward(f, count, x, g):
    return (g * jax.vjp(f, x)[1](jnp.ones_like(x))[0],)


@bug({"x"}, rule(times, times_forward, times_backward))
def static_function_and_number():
    function = jax.custom_vjp(times, nondiff_argnums=(0, 2))
    function.defvjp(times_forward, times_backward)
    return vectors(25, lambda x: function(jnp.sin, x, 3))


def plain_sine(x):
    return jnp.sin(x)


def wrong_plain_sine():
    function = jax.custom_vjp(plain_sine)
    function.defvjp(own_forward, own_backward)
    return function


PLACES = {
    "under_checkpoint": jax.checkpoint,
    "under_a_name": lambda f: jax.named_call(f, name="block"),
    "in_a_named_scope": lambda f: jax.named_scope("block")(f),
    "in_a_closure": lambda f: lambda x: jax.closure_convert(f, x)[0](x),
    "in_a_loop": lambda f: lambda x: jax.lax.fori_loop(0, 3, lambda _, y: f(y), x),
    "in_an_associative_scan": lambda f: (
        lambda x: jax.lax.associative_scan(lambda a, b: f(a + b), x)
    ),
    "twice_mapped": lambda f: lambda x: jax.vmap(jax.vmap(f))(x[:, None])[:, 0],
    "under_filter_jit": eqx.filter_jit,
    "under_filter_checkpoint": eqx.filter_checkpoint,
    "in_a_checkpointed_scan_in_a_cond": lambda f: (
        lambda x: jax.lax.cond(
            jnp.sum(x**2) > 0,
            lambda x: jax.lax.scan(jax.checkpoint(lambda c, _: (f(c), c)), x, None, 2)[0],
            lambda x: x,
            x,
        )
    ),
}
for place, wrapper in PLACES.items():
    add(
        f"wrong_rule_{place}",
        functools.partial(lambda wrapper: vectors(26, wrapper(wrong_plain_sine())), wrapper),
        theme=__name__,
        verdict="fail",
        leaves=frozenset({"x"}),
        find_cause=rule(plain_sine, own_forward, own_backward),
    )
