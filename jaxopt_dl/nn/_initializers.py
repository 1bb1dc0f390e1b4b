"""Starting points for weights: variance scaling once, and its named cases as thin calls.

Every factory returns a function with JAX's signature `init(key, shape, dtype)`, so ours and
those of `jax.nn.initializers` are interchangeable.
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_dl._core.errors import check_choice, check_integer, check_number, fail, is_traced
from jaxopt_dl._core.types import Array, Key

Initializer: TypeAlias = Callable[..., Array]
"""`init(key, shape, dtype=jnp.float32) -> array`."""

# Standard deviation of a standard normal cut off at -2 and 2.
_TRUNCATED_STDDEV = 0.87962566103423978

_DISTRIBUTIONS = ("normal", "uniform", "truncated_normal")
_MODES = ("fan_in", "fan_out", "fan_avg")


def variance_scaling(
    scale: float,
    *,
    mode: str = "fan_in",
    distribution: str = "normal",
    in_axis: int = -2,
    out_axis: int = -1,
) -> Initializer:
    """Draw zero-mean weights whose variance is `scale / fan`, so that signals keep their size.

    `fan_in` is the number of inputs of one unit: the size of `in_axis` times the sizes of all
    axes other than `in_axis` and `out_axis` (the window of a convolution). `fan_out` is the same
    with `out_axis`, and `fan_avg` their mean. All three distributions have the same variance:
    `normal` is not truncated, `uniform` has the limit `sqrt(3 * variance)`, `truncated_normal`
    is cut at two deviations of the underlying normal and widened to make up for it.

    The axes matter: a kernel stored as `(out, in)` needs `in_axis=-1, out_axis=-2`, and with the
    defaults silently gets the scale of another layer.

    Args:
      scale: variance times fan, positive, unitless.
      mode: `"fan_in"`, `"fan_out"` or `"fan_avg"`.
      distribution: `"normal"`, `"uniform"` or `"truncated_normal"`.
      in_axis: the axis of inputs, an index into the shape.
      out_axis: the axis of outputs, an index into the shape.

    Returns:
      `init(key, shape, dtype=jnp.float32)`, an array of that shape. Half precision is drawn in
      float32 and rounded once.

    Raises:
      TypeError: if a number or an axis has the wrong type.
      ValueError: if `scale` is not positive or a name is unknown; from `init`, if the shape has
        fewer than two axes, lacks one of the two, or is empty.

    Examples:
      >>> init = variance_scaling(2.0, distribution="uniform")
      >>> kernel = init(jax.random.key(0), (512, 64))
      >>> kernel.shape, round(float(kernel.max()), 3)
      ((512, 64), 0.108)

    References:
      He et al., "Delving Deep into Rectifiers", 2015. https://arxiv.org/abs/1502.01852
      Differs from `jax.nn.initializers`, where `he_normal` and its siblings are truncated.
    """
    who = "variance_scaling"
    check_number(who, "scale", scale, low=0, low_open=True)
    check_choice(who, "mode", mode, _MODES)
    check_choice(who, "distribution", distribution, _DISTRIBUTIONS)
    check_integer(who, "in_axis", in_axis)
    check_integer(who, "out_axis", out_axis)

    def init(key: Key, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        variance = scale / _fan(shape, mode, in_axis, out_axis)
        return _draw(key, shape, dtype, variance, distribution)

    return init


def lecun_normal(*, gain: float = 1.0, in_axis: int = -2, out_axis: int = -1) -> Initializer:
    """Normal weights of variance `gain / fan_in`, the choice for SELU and linear units.

    Some texts call this one Xavier; the two agree where a layer has as many inputs as outputs.

    Args:
      gain: factor on the variance (not on the deviation), positive.
      in_axis: see `variance_scaling`.
      out_axis: see `variance_scaling`.

    Returns:
      `init(key, shape, dtype=jnp.float32)`. The normal is not truncated.

    Raises:
      TypeError: if `gain` is not a number.
      ValueError: if `gain` is not positive; from `init`, see `variance_scaling`.

    Examples:
      >>> lecun_normal()(jax.random.key(0), (4, 3)).shape
      (4, 3)

    References:
      LeCun et al., "Efficient BackProp", 1998.
    """
    return _scaled("lecun_normal", 1.0, gain, "fan_in", "normal", in_axis, out_axis)


def lecun_uniform(*, gain: float = 1.0, in_axis: int = -2, out_axis: int = -1) -> Initializer:
    """Uniform weights of variance `gain / fan_in`: limit `sqrt(3 * gain / fan_in)`.

    Args:
      gain: factor on the variance, positive.
      in_axis: see `variance_scaling`.
      out_axis: see `variance_scaling`.

    Returns:
      `init(key, shape, dtype=jnp.float32)`.

    Raises:
      TypeError: if `gain` is not a number.
      ValueError: if `gain` is not positive; from `init`, see `variance_scaling`.

    Examples:
      >>> bool(abs(lecun_uniform()(jax.random.key(0), (3, 50))).max() < 1.0)
      True

    References:
      LeCun et al., "Efficient BackProp", 1998.
    """
    return _scaled("lecun_uniform", 1.0, gain, "fan_in", "uniform", in_axis, out_axis)


def xavier_normal(*, gain: float = 1.0, in_axis: int = -2, out_axis: int = -1) -> Initializer:
    """Normal weights of variance `2 * gain / (fan_in + fan_out)`, for tanh and sigmoid.

    It balances the size of activations going forward against that of gradients going back.

    Args:
      gain: factor on the variance, positive.
      in_axis: see `variance_scaling`.
      out_axis: see `variance_scaling`.

    Returns:
      `init(key, shape, dtype=jnp.float32)`. The normal is not truncated.

    Raises:
      TypeError: if `gain` is not a number.
      ValueError: if `gain` is not positive; from `init`, see `variance_scaling`.

    Examples:
      >>> xavier_normal()(jax.random.key(0), (4, 3)).shape
      (4, 3)

    References:
      Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
      networks", 2010.
    """
    return _scaled("xavier_normal", 1.0, gain, "fan_avg", "normal", in_axis, out_axis)


def xavier_uniform(*, gain: float = 1.0, in_axis: int = -2, out_axis: int = -1) -> Initializer:
    """Uniform weights of variance `2 * gain / (fan_in + fan_out)`.

    Args:
      gain: factor on the variance, positive.
      in_axis: see `variance_scaling`.
      out_axis: see `variance_scaling`.

    Returns:
      `init(key, shape, dtype=jnp.float32)`, within `sqrt(6 * gain / (fan_in + fan_out))`.

    Raises:
      TypeError: if `gain` is not a number.
      ValueError: if `gain` is not positive; from `init`, see `variance_scaling`.

    Examples:
      >>> bool(abs(xavier_uniform()(jax.random.key(0), (50, 4))).max() < 1 / 3)
      True

    References:
      Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
      networks", 2010.
    """
    return _scaled("xavier_uniform", 1.0, gain, "fan_avg", "uniform", in_axis, out_axis)


def he_normal(
    *,
    negative_slope: float = 0.0,
    gain: float = 1.0,
    in_axis: int = -2,
    out_axis: int = -1,
) -> Initializer:
    """Normal weights of variance `2 * gain / ((1 + negative_slope**2) * fan_in)`, for ReLU.

    ReLU sets about half of its inputs to zero; the factor 2 makes up for that, so the mean
    square of activations is kept from layer to layer.

    Args:
      negative_slope: slope of the activation on negative inputs: 0 for ReLU, a for leaky ReLU.
      gain: factor on the variance, positive.
      in_axis: see `variance_scaling`.
      out_axis: see `variance_scaling`.

    Returns:
      `init(key, shape, dtype=jnp.float32)`. The normal is not truncated.

    Raises:
      TypeError: if `gain` or `negative_slope` is not a number.
      ValueError: if `gain` is not positive or `negative_slope` not finite; from `init`, see
        `variance_scaling`.

    Examples:
      >>> kernel = he_normal()(jax.random.key(0), (512, 512))
      >>> round(float(kernel.std()), 3), round((2 / 512) ** 0.5, 3)
      (0.062, 0.062)

    References:
      He et al., "Delving Deep into Rectifiers", 2015. https://arxiv.org/abs/1502.01852
    """
    scale = _he_scale("he_normal", negative_slope)
    return _scaled("he_normal", scale, gain, "fan_in", "normal", in_axis, out_axis)


def he_uniform(
    *,
    negative_slope: float = 0.0,
    gain: float = 1.0,
    in_axis: int = -2,
    out_axis: int = -1,
) -> Initializer:
    """Uniform weights of variance `2 * gain / ((1 + negative_slope**2) * fan_in)`, for ReLU.

    Args:
      negative_slope: slope of the activation on negative inputs: 0 for ReLU, a for leaky ReLU.
      gain: factor on the variance, positive.
      in_axis: see `variance_scaling`.
      out_axis: see `variance_scaling`.

    Returns:
      `init(key, shape, dtype=jnp.float32)`.

    Raises:
      TypeError: if `gain` or `negative_slope` is not a number.
      ValueError: if `gain` is not positive or `negative_slope` not finite; from `init`, see
        `variance_scaling`.

    Examples:
      >>> bool(abs(he_uniform()(jax.random.key(0), (6, 50))).max() < 1.0)
      True

    References:
      He et al., "Delving Deep into Rectifiers", 2015. https://arxiv.org/abs/1502.01852
    """
    scale = _he_scale("he_uniform", negative_slope)
    return _scaled("he_uniform", scale, gain, "fan_in", "uniform", in_axis, out_axis)


def normal(*, stddev: float) -> Initializer:
    """Normal weights of mean 0 and the given deviation, whatever the shape.

    Args:
      stddev: standard deviation, positive. It has no default: the right one depends on the
        layer, which is what the scaled initializers are for.

    Returns:
      `init(key, shape, dtype=jnp.float32)`. The normal is not truncated.

    Raises:
      TypeError: if `stddev` is not a number.
      ValueError: if `stddev` is not positive.

    Examples:
      >>> normal(stddev=0.01)(jax.random.key(0), (5,)).shape
      (5,)
    """
    check_number("normal", "stddev", stddev, low=0, low_open=True)

    def init(key: Key, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        return _draw(key, shape, dtype, stddev**2, "normal")

    return init


def constant(value: float) -> Initializer:
    """Fill with one number; for biases, never for kernels, whose units would stay equal.

    Args:
      value: the number, finite.

    Returns:
      `init(key, shape, dtype=jnp.float32)`; the key is not used.

    Raises:
      TypeError: if `value` is not a number.
      ValueError: if `value` is not finite.

    Examples:
      >>> constant(0.1)(jax.random.key(0), (2,)).shape
      (2,)
    """
    check_number("constant", "value", value)

    def init(key: Key, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        del key
        return jnp.full(shape, value, dtype)

    return init


def zeros(key: Key, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    """Fill with zeros; itself an initializer, the usual one for biases.

    Args:
      key: not used.
      shape: the shape to fill.
      dtype: the dtype to fill with.

    Returns:
      An array of zeros of that shape.

    Examples:
      >>> zeros(jax.random.key(0), (2,)).tolist()
      [0.0, 0.0]
    """
    del key
    return jnp.zeros(shape, dtype)


def _scaled(
    who: str,
    scale: float,
    gain: float,
    mode: str,
    distribution: str,
    in_axis: int,
    out_axis: int,
) -> Initializer:
    check_number(who, "gain", gain, low=0, low_open=True)
    return variance_scaling(
        scale * gain, mode=mode, distribution=distribution, in_axis=in_axis, out_axis=out_axis
    )


def _he_scale(who: str, negative_slope: float) -> float:
    check_number(who, "negative_slope", negative_slope)
    return 2.0 / (1.0 + negative_slope**2)


def _fan(shape: tuple[int, ...], mode: str, in_axis: int, out_axis: int) -> float:
    rank = len(shape)
    fits = all(-rank <= axis < rank for axis in (in_axis, out_axis))
    if not fits or in_axis % rank == out_axis % rank or 0 in shape:
        rule = f"the shape must have sizes above 0 on distinct axes {in_axis} and {out_axis}"
        advice = "Kernels are (in, out); for biases use `zeros`."
        fail("variance_scaling", rule, f"got {tuple(shape)}", advice)
    window = math.prod(shape) / (shape[in_axis] * shape[out_axis])
    fan_in, fan_out = window * shape[in_axis], window * shape[out_axis]
    return {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]


def _draw(
    key: Key, shape: tuple[int, ...], dtype: Any, variance: float, distribution: str
) -> Array:
    # A program that runs once is not worth optimizing: most of the time goes into compiling it.
    draw = _drawn if is_traced(key) else _draw_now
    return draw(key, tuple(shape), dtype, variance, distribution)


def _drawn(
    key: Key, shape: tuple[int, ...], dtype: Any, variance: float, distribution: str
) -> Array:
    # Half precision has too few values to draw from: draw wider, then round once.
    wide = np.dtype(np.float32) if jnp.dtype(dtype).itemsize < 4 else dtype
    if distribution == "normal":
        unit = jax.random.normal(key, shape, wide)
    elif distribution == "uniform":
        limit = math.sqrt(3.0)
        unit = jax.random.uniform(key, shape, wide, -limit, limit)
    else:
        unit = jax.random.truncated_normal(key, -2.0, 2.0, shape, wide) / _TRUNCATED_STDDEV
    return (unit * jnp.sqrt(jnp.asarray(variance, wide))).astype(dtype)


_draw_now = jax.jit(
    _drawn,
    static_argnames=("shape", "dtype", "distribution"),
    compiler_options={"xla_backend_optimization_level": 1},
)
