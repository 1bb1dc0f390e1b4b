"""The configuration of a training: frozen dataclasses whose annotations hold what is allowed.

Nothing here imports jax, so that `--help` and a bad configuration answer at once.
"""

import dataclasses
from typing import Annotated, Literal

from ._limits import FolderName, Range

Positive = Annotated[float, Range(low=0, low_open=True)]
NotNegative = Annotated[float, Range(low=0)]
Share = Annotated[float, Range(low=0, high=1, high_open=True)]
Probability = Annotated[float, Range(low=0, high=1)]
Count = Annotated[int, Range(low=1)]


@dataclasses.dataclass(frozen=True)
class Data:
    """Examples, and how they are divided.

    Attributes:
      source: a bundled data set (breast_cancer, diabetes, digits, iris, wine) or a path: a .npz
        file with arrays x and y, a .csv file with a header, a folder with x.npy and y.npy, the
        images of a pair of IDX files, a folder with a folder of pictures for every class.
        Integer or text targets are classes, floating-point targets a regression.
      target: the target column of a .csv file; empty for the last one.
      mode: how pictures are read; none for every other source.
      size: height and width to resize pictures to; empty if they agree.
      fractions: shares of train, dev and, if there is a third, test; they sum to 1.
      normalize: center and scale features (and targets of a regression) by the training set.
    """

    source: str = ""
    target: str = ""
    mode: Literal["none", "grayscale", "rgb"] = "none"
    size: tuple[Count, ...] = ()
    fractions: tuple[Annotated[float, Range(low=0, high=1, low_open=True)], ...] = (0.6, 0.2, 0.2)
    normalize: bool = True


@dataclasses.dataclass(frozen=True)
class Augment:
    """How training images are changed, anew in every step; 0 leaves a change out.

    Attributes:
      hflip: probability to mirror left and right.
      vflip: probability to mirror top and bottom.
      crop: most whole pixels an image is moved by.
      shift: most pixels an image is moved by, parts included.
      rotate: largest angle, in degrees.
      zoom: largest relative change of size, below 1.
      elastic: displacement of pixels, root mean square in pixels.
      cutout: side of a hidden square, in pixels.
    """

    hflip: Probability = 0.0
    vflip: Probability = 0.0
    crop: Annotated[int, Range(low=0)] = 0
    shift: NotNegative = 0.0
    rotate: NotNegative = 0.0
    zoom: Share = 0.0
    elastic: NotNegative = 0.0
    cutout: Annotated[int, Range(low=0)] = 0


@dataclasses.dataclass(frozen=True)
class Model:
    """A dense network.

    Attributes:
      hidden: units of each hidden layer.
      activation: the function after each hidden layer.
      initializer: how the kernels of hidden layers are drawn.
      batch_norm: normalize over the batch before each activation.
      keep_prob: probability to keep a unit in training, in (0, 1]; 1 means no dropout.
    """

    hidden: tuple[Count, ...] = (64,)
    activation: Literal["relu", "leaky_relu", "tanh", "sigmoid", "selu"] = "relu"
    initializer: Literal[
        "he_normal",
        "he_uniform",
        "xavier_normal",
        "xavier_uniform",
        "lecun_normal",
        "lecun_uniform",
    ] = "he_normal"
    batch_norm: bool = False
    keep_prob: Annotated[float, Range(low=0, high=1, low_open=True)] = 1.0


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """What turns gradients into updates.

    Attributes:
      kind: the rule.
      learning_rate: size of a step, positive; where the schedule starts.
      decay: for momentum, nesterov and rmsprop: share of the old average kept, in [0, 1).
      b1: for adam: share of the old mean kept, in [0, 1).
      b2: for adam: share of the old mean square kept, in [0, 1).
      eps: for rmsprop and adam: added to the root, positive.
      clip_norm: largest norm of a gradient; 0 for no limit.
    """

    kind: Literal["sgd", "momentum", "nesterov", "rmsprop", "adam"] = "adam"
    learning_rate: Positive = 1e-3
    decay: Share = 0.9
    b1: Share = 0.9
    b2: Share = 0.999
    eps: Positive = 1e-8
    clip_norm: NotNegative = 0.0


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How the learning rate changes.

    Attributes:
      kind: the form of the decay.
      rate: for inverse_time and exponential, per period: lr / (1 + rate * t), lr * rate ** t.
      period: for inverse_time, exponential and inverse_sqrt: the unit of time, in epochs.
      final: for linear and cosine: the learning rate at the end of the last epoch.
    """

    kind: Literal["constant", "inverse_time", "exponential", "inverse_sqrt", "linear", "cosine"] = (
        "constant"
    )
    rate: Positive = 0.95
    period: Positive = 1.0
    final: NotNegative = 0.0


@dataclasses.dataclass(frozen=True)
class Penalty:
    """What is added to the loss for large kernels, divided by the number of training examples.

    Attributes:
      l1: strength of the sum of absolute values.
      l2: strength of half the sum of squares.
    """

    l1: NotNegative = 0.0
    l2: NotNegative = 0.0


@dataclasses.dataclass(frozen=True)
class Training:
    """How long, and when to stop.

    Attributes:
      epochs: most passes over the training set.
      batch_size: examples per update.
      patience: epochs without improvement on the dev set after which to stop; 0 never stops.
      monitor: the dev metric that chooses the best epoch; accuracy is for classes.
    """

    epochs: Count = 100
    batch_size: Count = 64
    patience: Annotated[int, Range(low=0)] = 20
    monitor: Literal["loss", "accuracy"] = "loss"


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides the numbers of a run.

    Attributes:
      name: the run's folder, inside `out`.
      seed: all randomness comes from it, 0 to 4294967295.
      out: the folder of all runs.
      data: the examples, and how they are divided.
      augment: how training images are changed.
      model: a dense network.
      optimizer: what turns gradients into updates.
      schedule: how the learning rate changes.
      penalty: what large kernels add to the loss, divided by the number of training examples.
      training: how long, and when to stop.
    """

    name: Annotated[str, FolderName()] = "run"
    seed: Annotated[int, Range(low=0, high=2**32 - 1)] = 0
    out: str = "runs"
    data: Data = Data()
    augment: Augment = Augment()
    model: Model = Model()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    penalty: Penalty = Penalty()
    training: Training = Training()
