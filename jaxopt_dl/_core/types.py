"""The types through which the packages meet: layers, objectives, batches, outcomes.

Only shapes of things live here; behavior belongs to the floors above.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import jax

Array: TypeAlias = jax.Array
Key: TypeAlias = jax.Array
"""A typed PRNG key, as made by `jax.random.key`."""
PyTree: TypeAlias = Any
Spec: TypeAlias = jax.ShapeDtypeStruct | tuple[int, ...]
"""Shape and dtype of one example, without the batch axis; a plain tuple means float32."""
Batch: TypeAlias = Mapping[str, Any]
"""Arrays that share their first axis. `fit` adds `weight` and `mask`, each `(batch,)`."""
Number: TypeAlias = Any
"""A Python number, a NumPy scalar or a scalar array, traced or not."""
Metric: TypeAlias = Callable[[Array, Array], Array]
"""`(outputs, targets) -> one value per example, (batch,)`; a loss is one of these."""


class Layer(NamedTuple):
    """A pair of pure functions, made by a lower-case factory such as `nn.dense`.

    Attributes:
      kind: what the layer is, such as `"dense"`; part of the path of its parameters.
      name: the user's name for it, or None.
      init: `init(key, spec) -> (params, state)`. `spec` describes one example, no batch axis.
      apply: `apply(params, state, x, *, training, key=None, mask=None) -> (y, state)`.
        `training` is static and has no default; `mask` is `(batch,)`, True on real rows.
        In evaluation the state comes back unchanged.
    """

    kind: str
    name: str | None
    init: Callable[..., tuple[PyTree, PyTree]]
    apply: Callable[..., tuple[Array, PyTree]]


class Aux(NamedTuple):
    """What an objective returns beside its loss.

    Attributes:
      state: the model state after this batch.
      metrics: name -> weighted mean over the batch, each a scalar.
      weight: the total weight those means were taken over, a scalar. It makes epochs,
        accumulation and meshes combine exactly.
    """

    state: PyTree
    metrics: dict[str, Array]
    weight: Array


class Objective(Protocol):
    """The function a training minimizes."""

    def __call__(
        self, params: PyTree, state: PyTree, batch: Batch, *, key: Key | None, training: bool
    ) -> tuple[Array, Aux]:
        """Return `(loss, aux)` for one batch; `loss` is the scalar that is differentiated."""
        ...


class ProbeInput(NamedTuple):
    """What a probe sees of one training step, inside the compiled program.

    Attributes:
      objective: the function that is minimized; call it to look inside the model.
      params: the parameters before the update.
      model_state: the model state before the update.
      batch: the batch, with `weight` and `mask`.
      key: the key of this step; the objective drew its randomness from it.
      loss: the value of the objective, a scalar.
      gradients: its gradient, in the form of the parameters.
      updates: what the optimizer adds to the parameters.
    """

    objective: Objective
    params: PyTree
    model_state: PyTree
    batch: Batch
    key: Key
    loss: Array
    gradients: PyTree
    updates: PyTree


class Probe(Protocol):
    """A pure function that looks into chosen steps of a training."""

    def __call__(self, seen: ProbeInput) -> dict[str, Array]:
        """Return name -> scalar."""
        ...


class RunLength(NamedTuple):
    """How long a run is, in optimizer updates; given to `fit(optimizer=function)`.

    Attributes:
      steps: updates in the whole run.
      steps_per_epoch: updates in one pass over the data.
    """

    steps: int
    steps_per_epoch: int


class Outcome(enum.StrEnum):
    """Why a training ended. The value is a sentence a person reads, with advice where it helps."""

    COMPLETED = "All epochs were run."
    STOPPED_EARLY = "The monitored dev metric stopped improving, so the run ended early."
    INTERRUPTED = "The run was interrupted; everything up to the interruption is kept."
    NON_FINITE = (
        "The loss became NaN or infinite, so the run stopped; the last finite state is kept. "
        "Try a smaller learning rate or gradient clipping, and check the inputs for huge values."
    )
