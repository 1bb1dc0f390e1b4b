"""Deliberate surrogate gradients: they fail, named as surrogates, and pass when allowed."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import add, normal, rule

SURROGATE = ("surrogate",)
X, Y = normal(1, 8, 3), normal(2, 8)


@jax.custom_vjp
def round_straight_through(x):
    return jnp.round(x)


def round_forward(x):
    return jnp.round(x), None


def same_cotangent(_, g):
    return (g,)


round_straight_through.defvjp(round_forward, same_cotangent)


@jax.custom_vjp
def binarize(x):
    return jnp.where(x > 0, 1.0, -1.0)


def binarize_forward(x):
    return jnp.where(x > 0, 1.0, -1.0), x


def binarize_backward(x, g):
    return (jnp.where(jnp.abs(x) < 1, g, 0.0),)


binarize.defvjp(binarize_forward, binarize_backward)


@jax.custom_jvp
def spike(x):
    return jnp.heaviside(x, 0.5)


@spike.defjvp
def spike_slope(primals, tangents):
    (x,), (dx,) = primals, tangents
    return jnp.heaviside(x, 0.5), dx / (1 + jnp.abs(4 * x)) ** 2


@jax.custom_vjp
def reverse_gradient(x):
    return x


def reverse_forward(x):
    return x, None


def reverse_backward(_, g):
    return (-g,)


reverse_gradient.defvjp(reverse_forward, reverse_backward)


@jax.custom_vjp
def clip_gradient(x):
    return x


def clip_backward(_, g):
    return (jnp.clip(g, -0.01, 0.01),)


clip_gradient.defvjp(reverse_forward, clip_backward)


@jax.custom_jvp
def scale_gradient(x):
    return x


@scale_gradient.defjvp
def scale_gradient_jvp(primals, tangents):
    return primals[0], 0.1 * tangents[0]


@jax.custom_vjp
def quantize(x):
    return jnp.clip(jnp.floor(8 * x) / 8, -1.0, 1.0)


def quantize_forward(x):
    return quantize(x), jnp.abs(x) <= 1


def quantize_backward(inside, g):
    return (g * inside,)


quantize.defvjp(quantize_forward, quantize_backward)


@jax.custom_vjp
def hard_choice(x):
    return (x == jnp.max(x, axis=-1, keepdims=True)).astype(x.dtype)


def hard_choice_forward(x):
    return hard_choice(x), jax.nn.softmax(x)


def hard_choice_backward(y, g):
    return (y * (g - jnp.sum(g * y, axis=-1, keepdims=True)),)


hard_choice.defvjp(hard_choice_forward, hard_choice_backward)

# The surrogate, the functions that make it, and what to allow.
RULES = {
    "round": (round_straight_through, (round_forward, same_cotangent)),
    "binarize": (binarize, (binarize_forward, binarize_backward)),
    "spike": (spike, (spike_slope,)),
    "reversal": (reverse_gradient, (reverse_forward, reverse_backward)),
    "clipping": (clip_gradient, (reverse_forward, clip_backward)),
    "scaling": (scale_gradient, (scale_gradient_jvp,)),
    "quantize": (quantize, (quantize_forward, quantize_backward)),
    "hard_choice": (hard_choice, (hard_choice_forward, hard_choice_backward)),
}
WRAPPERS = {"plain": lambda f: f, "jit": jax.jit, "vmap": jax.vmap}


def regression(apply):
    """The kernel and bias act through the surrogate, the scale does not."""

    def loss(p, x):
        return jnp.mean((p["scale"] * apply(x @ p["kernel"] + p["bias"]) - 0.3) ** 2)

    return loss


def example(seed, **more):
    params = {"kernel": normal(seed, 3, 2), "bias": normal(seed + 1, 2), "scale": np.float64(1.3)}
    return {"params": params, "args": (X,), **more}


def add_surrogate(name, surrogate, parts, wrapper, seed):
    loss = regression(WRAPPERS[wrapper](surrogate))
    add(
        f"surrogate_{name}_in_{wrapper}",
        lambda: {"function": loss, **example(seed)},
        theme=__name__,
        verdict="fail",
        leaves=frozenset({"kernel", "bias"}),
        find_cause=rule(surrogate, *parts, kind=SURROGATE),
    )
    add(
        f"surrogate_{name}_allowed",
        lambda: {"function": loss, **example(seed, allow=(surrogate.__name__,))},
        theme=__name__,
        verdict="pass",
        leaves=frozenset({"kernel", "bias"}),
    )


for number, (name, (surrogate, parts)) in enumerate(RULES.items()):
    add_surrogate(name, surrogate, parts, list(WRAPPERS)[number % 3], 40 + 2 * number)


def round_by_detour(x):
    """The popular form without a custom rule."""
    return x + jax.lax.stop_gradient(jnp.round(x) - x)


def hard_softmax(x):
    soft = jax.nn.softmax(x)
    hard = jax.nn.one_hot(jnp.argmax(x, axis=-1), x.shape[-1], dtype=x.dtype)
    return soft + jax.lax.stop_gradient(hard - soft)


def add_detour(function, seed):
    """A straight-through estimator written with `stop_gradient`."""
    loss = regression(function)

    def find_cause(arguments):
        found = rule(function, kind=("surrogate", "stop_gradient"))(arguments)
        return found._replace(names=found.names | {"stop_gradient"})

    add(
        f"surrogate_{function.__name__}",
        lambda: {"function": loss, **example(seed)},
        theme=__name__,
        verdict="fail",
        leaves=frozenset({"kernel", "bias"}),
        find_cause=find_cause,
    )
    add(
        f"surrogate_{function.__name__}_allowed",
        lambda: {"function": loss, **example(seed, allow=("stop_gradient",))},
        theme=__name__,
        verdict="pass",
        leaves=frozenset({"kernel", "bias"}),
    )


add_detour(round_by_detour, 70)
add_detour(hard_softmax, 80)
