"""Data sets on their way into training: loading, splitting, normalizing, batching."""

from ._augment import Augmentation, augment
from ._batches import (
    Batches,
    epoch_batches,
    estimate_batch_bytes,
    iid_batches,
    num_batches,
    ordered_batches,
    suggest_batch_size,
)
from ._bundled import load_bundled
from ._check import check_finite
from ._csv import load_csv
from ._dataset import Dataset
from ._duplicates import Duplicates, find_duplicates, group_duplicates
from ._idx import load_idx, read_idx
from ._images import load_images
from ._load import load
from ._mixing import cutout, mixup
from ._normalize import Normalizer, denormalize, fit_normalizer, normalize
from ._npy import load_npy
from ._npz import load_npz
from ._select import select_best
from ._shift import DistributionShift, distribution_shift
from ._split import split, suggest_split
from ._standard_error import error_rate_stderr
from ._transforms import (
    elastic_distort,
    hflip,
    random_crop,
    random_rotate,
    random_shift,
    random_zoom,
    vflip,
)

__all__ = [
    "Augmentation",
    "Batches",
    "Dataset",
    "DistributionShift",
    "Duplicates",
    "Normalizer",
    "augment",
    "check_finite",
    "cutout",
    "denormalize",
    "distribution_shift",
    "elastic_distort",
    "epoch_batches",
    "error_rate_stderr",
    "estimate_batch_bytes",
    "find_duplicates",
    "fit_normalizer",
    "group_duplicates",
    "hflip",
    "iid_batches",
    "load",
    "load_bundled",
    "load_csv",
    "load_idx",
    "load_images",
    "load_npy",
    "load_npz",
    "mixup",
    "normalize",
    "num_batches",
    "ordered_batches",
    "random_crop",
    "random_rotate",
    "random_shift",
    "random_zoom",
    "read_idx",
    "select_best",
    "split",
    "suggest_batch_size",
    "suggest_split",
    "vflip",
]
