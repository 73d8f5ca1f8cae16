"""Data: data sets, samplers, splits by patient, a loader that can be resumed, augmentation.

Everything here works on host (NumPy) arrays; only `default_collate` makes Tensors.

>>> import numpy as np
>>> images = np.zeros((10, 50, 50), dtype=np.float32)
>>> labels = np.arange(10) % 2
>>> loader = DataLoader(
...     TensorDataset(images, labels),
...     batch_size=4,
...     shuffle=True,
...     augment=Augment(rotate=15, scale=(0.9, 1.1), shift=3).on_image,
...     generator=np.random.default_rng(0),
... )
>>> [batch[0].shape for batch in loader]
[(4, 50, 50), (4, 50, 50), (2, 50, 50)]
"""

from tinymed.data.augmentation import Augment
from tinymed.data.balance import balanced_weights
from tinymed.data.bucketing import BucketSampler
from tinymed.data.collate import default_collate
from tinymed.data.cropping import RandomCrop
from tinymed.data.dataset import ConcatDataset, Dataset, Subset, TensorDataset
from tinymed.data.elastic import deform, displacement_field
from tinymed.data.geometry import flip, rotate, shift, zoom
from tinymed.data.intensity import adjust_contrast, adjust_gamma, erase, gaussian_blur
from tinymed.data.loader import DataLoader
from tinymed.data.mixing import Mixup
from tinymed.data.noise import add_noise, add_shot_noise
from tinymed.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from tinymed.data.split import (
    grouped_stratified_holdout,
    grouped_stratified_kfold,
    random_split,
)

__all__ = [
    "Augment",
    "BatchSampler",
    "BucketSampler",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "Mixup",
    "RandomCrop",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "add_noise",
    "add_shot_noise",
    "adjust_contrast",
    "adjust_gamma",
    "balanced_weights",
    "default_collate",
    "deform",
    "displacement_field",
    "erase",
    "flip",
    "gaussian_blur",
    "grouped_stratified_holdout",
    "grouped_stratified_kfold",
    "random_split",
    "rotate",
    "shift",
    "zoom",
]
