"""What every layer promises."""

from collections.abc import Sequence

from jaxopt_dl._core.errors import fail
from jaxopt_dl._core.numerics import as_spec
from jaxopt_dl._core.types import Layer, Spec

from . import _layer_forms, _layer_gradients, _layer_values
from ._layer_subject import Subject
from ._promise import hold_all

PROMISES = (
    _layer_forms.takes_the_arguments,
    _layer_forms.asks_for_the_mode,
    _layer_forms.has_plain_dicts,
    _layer_values.repeats_itself,
    _layer_values.evaluates_without_a_key,
    _layer_values.compiles,
    _layer_forms.predicts_shapes,
    _layer_forms.takes_any_batch,
    _layer_forms.keeps_dtypes,
    _layer_forms.keeps_wide_state,
    _layer_forms.meets_wider_inputs,
    _layer_values.runs_side_by_side,
    _layer_values.evaluates_without_change,
    _layer_forms.keeps_the_form_of_its_state,
    _layer_values.draws_only_with_a_key,
    _layer_values.trains_as_it_evaluates,
    _layer_values.draws_its_parameters_from_the_key,
    _layer_values.draws_each_parameter_anew,
    _layer_values.evaluates_rows_alone,
    _layer_values.ignores_padding,
    _layer_values.masks_exactly,
    _layer_gradients.has_finite_gradients,
    _layer_gradients.has_right_gradients,
)


def check_layer(
    layer: Layer,
    spec: Spec,
    *,
    indices: int | None = None,
    allow: Sequence[str] = (),
    strict: bool = False,
) -> None:
    """Check that a layer keeps the promises of the library's own.

    Its gradients are those of finite differences, in training and in evaluation; shapes and
    dtypes are those of tracing, for a batch of any size; state stays in at least float32,
    unchanged in evaluation and of one form in training; rows are treated alone in evaluation, and
    padded rows change nothing; the same key gives the same result, another key other parameters,
    and a layer that draws says when a key is missing; it works compiled and under `vmap` over
    seeds.

    Args:
      layer: what `nn.dense(3)` would return.
      spec: one example without the batch axis, a tuple of sizes or a `ShapeDtypeStruct`.
      indices: for a layer on integers, how many there are; inputs are then 0 to `indices - 1`.
      allow: names of functions whose gradients are surrogates on purpose, such as
        "stop_gradient"; see `gradcheck.check_gradients`. With "training" among them the layer may
        compute something else in training than in evaluation, such as rounded weights.
      strict: whether to ask all of it once more under strict dtype promotion and without rank
        promotion. A layer that mixes dtypes or ranks as JAX allows is not at fault otherwise.

    Raises:
      AssertionError: at the first broken promise, saying which, for which input, what came, and
        what to do.
      TypeError: if `layer` is not a `Layer`.

    Examples:
      >>> from jaxopt_dl import nn
      >>> check_layer(nn.dense(3), (4,))
    """
    if not isinstance(layer, Layer):
        came, advice = f"got {type(layer).__name__}", "Pass what `nn.dense(3)` would return."
        fail("check_layer", "`layer` must be a Layer", came, advice, kind=TypeError)
    subject = Subject(layer, tuple(as_spec(spec).shape), indices, allow)
    hold_all("check_layer", PROMISES, subject, strict=strict)
