"""Training: compiled epochs, evaluation, early stopping, history."""

from jaxopt_dl._core.types import Aux, Objective, Outcome, Probe, ProbeInput, RunLength

from ._compilations import Compiled, compilations, enable_compile_cache
from ._evaluate import evaluate, predict
from ._fit import fit
from ._history import History, Table
from ._params_file import load_params, save_params
from ._progress import Progress
from ._run import FitResult
from ._state import StepInfo, TrainState
from ._step import make_step
from ._stopping import EarlyStopping, StoppingState, early_stopping
from ._stream import Stream, stream
from ._supervised import Supervised, supervised

__all__ = [
    "Aux",
    "Compiled",
    "EarlyStopping",
    "FitResult",
    "History",
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
    "early_stopping",
    "enable_compile_cache",
    "evaluate",
    "fit",
    "load_params",
    "make_step",
    "predict",
    "save_params",
    "stream",
    "supervised",
]
