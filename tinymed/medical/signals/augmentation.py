"""The same signal as another day would have it: time stretched here and squeezed there, noise.

For signals of any kind, (..., T). `tinymed.medical.signals.beat_windows.BeatAugment` is what
``tinymed ecg`` trains with: it knows where the R peak is, and leaves it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.data.geometry import as_dtype
from tinymed.data.noise import add_noise, as_floats
from tinymed.random import or_default

__all__ = ["SignalAugment", "time_warp", "warped_times"]

Array = np.ndarray[Any, Any]


def warped_times(
    length: int,
    strength: float,
    *,
    knots: int = 4,
    generator: np.random.Generator | None = None,
) -> NDArray[np.float64]:
    """Draw at which time (T,) of a signal each step of the warped one is taken.

    The logarithm of the speed is normal at ``knots`` times and linear between them. So the times
    rise always; the first and the last stay.

    Parameters
    ----------
    length : int
        T, at least 2.
    strength : float
        Standard deviation of the logarithm of the speed, >= 0: 0.2 for a fifth, about.
    knots : int
        At least 2; the more, the more often time turns from fast to slow.
    generator : numpy.random.Generator, optional

    Examples
    --------
    What goes with each step is moved alike:

    >>> times = warped_times(6, 0.5, generator=np.random.default_rng(0))
    >>> np.array(list("PPQRST"))[np.rint(times).astype(int)].tolist()
    ['P', 'P', 'Q', 'R', 'S', 'T']
    """
    if length < 2 or knots < 2 or not 0 <= strength < float("inf"):
        raise ValueError(
            f"warped_times: length {length}, knots {knots}, strength {strength}; 2 at least, 2 at "
            "least and a number >= 0 expected"
        )
    generator = or_default(generator)
    drawn = generator.normal(0, strength, knots)
    places = np.linspace(0, knots - 1, length - 1)  # of the steps between the samples
    speeds = np.exp(np.interp(places, np.arange(knots), drawn))
    times = np.concatenate([[0.0], np.cumsum(speeds)])
    return times * ((length - 1) / times[-1])


def time_warp(
    signal: Array,
    strength: float,
    *,
    knots: int = 4,
    generator: np.random.Generator | None = None,
) -> Array:
    """Stretch and squeeze a signal along time, all channels alike: y(t) = x(w(t)).

    Parameters
    ----------
    signal : numpy.ndarray (..., T)
        Numbers; not changed.
    strength, knots, generator
        Of `warped_times`, which draws w.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype; integers are rounded.

    Notes
    -----
    Between samples the signal is taken to be linear: where time is stretched, what oscillates from
    sample to sample is flattened.

    References
    ----------
    Um and others (2017), "Data augmentation of wearable sensor data for Parkinson's disease
    monitoring using convolutional neural networks".

    Examples
    --------
    >>> ramp = np.arange(5.0)
    >>> warped = time_warp(ramp, 0.5, generator=np.random.default_rng(0))
    >>> bool((np.diff(warped) > 0).all()), warped[[0, -1]].tolist()
    (True, [0.0, 4.0])
    """
    values = as_floats("time_warp", signal, 1)
    length = values.shape[-1]
    times = warped_times(length, strength, knots=knots, generator=generator)
    left = np.minimum(times.astype(np.intp), length - 2)
    share = (times - left).astype(values.dtype)
    warped = values[..., left] * (1 - share) + values[..., left + 1] * share
    return as_dtype(warped, np.asarray(signal).dtype)


@dataclass(frozen=True)
class SignalAugment:
    """Warps time and adds noise: ``augment=`` of a `tinymed.data.DataLoader`.

    A sample is (signal (..., T), what else there is); only the signal is changed. Where there is a
    target for each step, move it with `warped_times` instead.

    Parameters
    ----------
    warp : float
        Strength of `time_warp`; 0 for none.
    noise : float
        Standard deviation of white noise, in units of the signal's own; 0 for none.
    knots : int

    Examples
    --------
    >>> augment = SignalAugment(warp=0.1, noise=0.05)
    >>> signal, target = augment((np.zeros((2, 100)), 1), np.random.default_rng(0))
    >>> signal.shape, target
    ((2, 100), 1)
    """

    warp: float = 0.2
    noise: float = 0.1
    knots: int = 4

    def __call__(self, sample: tuple[Any, ...], generator: np.random.Generator) -> tuple[Any, ...]:
        """Return the changed sample."""
        signal, *rest = sample
        if self.warp:
            signal = time_warp(signal, self.warp, knots=self.knots, generator=generator)
        if self.noise:
            amount = self.noise * float(np.std(signal))
            signal = add_noise(signal, amount, spatial_dims=1, generator=generator)
        return signal, *rest
