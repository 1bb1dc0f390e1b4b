"""Training: compiled epochs, evaluation, early stopping, history."""

from jaxopt_dl._core.types import Aux, Objective, Outcome, Probe, ProbeInput, RunLength

from ._compilations import Compiled, compilations, enable_compile_cache
from ._evaluate import evaluate, predict
from ._fit import fit
from ._history import History, Table
from ._hooks import Moment
from ._mixed_precision import mixed_precision
from ._params_file import load_params, save_params
from ._progress import Progress
from ._rehearsal import DryRun, dry_run, overfit_one_batch
from ._run import FitResult
from ._state import StepInfo, TrainState
from ._step import make_step
from ._stopping import EarlyStopping, StoppingState, early_stopping
from ._stream import Stream, stream
from ._supervised import Supervised, supervised
from ._tensorboard import tensorboard

__all__ = [
    "Aux",
    "Compiled",
    "DryRun",
    "EarlyStopping",
    "FitResult",
    "History",
    "Moment",
    "Objective",
    "Outcome",
    "Probe",
    "ProbeInput",
    "Progress",
    "RunLength",
    "StepInfo",
    "StoppingState",
    "Stream",
    "Supervised",
    "Table",
    "TrainState",
    "compilations",
    "dry_run",
    "early_stopping",
    "enable_compile_cache",
    "evaluate",
    "fit",
    "load_params",
    "make_step",
    "mixed_precision",
    "overfit_one_batch",
    "predict",
    "save_params",
    "stream",
    "supervised",
    "tensorboard",
]
