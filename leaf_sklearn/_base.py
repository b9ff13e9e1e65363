"""What the transformers share: clips in, features out, names, state."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from ._clips.clips import Clips, as_clips
from ._clips.containers import clip_kind
from ._clips.resample import resampled_length
from ._device import Halving, resolve_device
from ._documentation import DocumentedMixin
from ._fork import check_fork, would_hang
from ._functionals import block_names, check_functionals, summarize
from ._parallel import map_with_model, n_workers
from ._persistence import Saved
from ._sklearn import Interval, StrOptions, check_feature_names_in
from ._training.network import Network
from .dsp.framing import are_whole
from .frontends import Frontend

R = TypeVar("R")

OUTPUTS = ("functionals", "frames", "embedding")
# Clips and samples decoded and transformed at once; the results do not depend on it. A GPU would wait for calls of
# less than some 150 s of audio.
BATCH_CPU, BATCH_ELSEWHERE = (32, 2**20), (512, 2**23)
FILES_A_JOB = 64  # files that a worker of joblib gets at once, where transform is to use several
REDUCED_CPU, REDUCED_ELSEWHERE = 2**18, 2**25  # features reduced at once
SEVERAL_LENGTHS = "output='frames' needs clips of one length; these have several. Use output='functionals'."


class AudioTransformer(DocumentedMixin, CallbackSupportMixin, TransformerMixin, Saved):
    """Base of the transformers; a subclass sets ``_network`` and ``device_`` in fit and names its parameters."""

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012, scikit-learn's convention
        "sample_rate": [Interval(Real, 1000, 192_000, closed="both")],
        "input_sample_rate": [Interval(Real, 0, None, closed="neither"), None],
        "n_filters": [Interval(Integral, 1, 1024, closed="both")],
        "window_ms": [Interval(Real, 0, 10_000, closed="neither")],
        "hop_ms": [Interval(Real, 0, 10_000, closed="neither")],
        "fmin": [Interval(Real, 0, None, closed="left"), None],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "compression": [str, None],
        "functionals": ["array-like", str],
        "output": [StrOptions(set(OUTPUTS))],
        "device": [str],
    }

    _name = "audio"
    _outputs: tuple[str, ...] = OUTPUTS
    _network: Network

    @property
    def frontend_(self) -> Frontend:
        """The fitted frontend, an nn.Module from waveforms (B, N) to features (B, F, T), on the CPU."""
        check_is_fitted(self)
        return self._network.frontend

    @property
    def center_frequencies_(self) -> NDArray[np.float64] | None:
        """Centre frequency of each filter in Hz, (n_filters,); None for "wavegram"."""
        return self.frontend_.center_frequencies()

    @property
    def bandwidths_(self) -> NDArray[np.float64] | None:
        """Bandwidth of each filter in Hz, (n_filters,); None for "wavegram"."""
        return self.frontend_.bandwidths()

    def transform(self, X: Any) -> NDArray[np.floating[Any]]:
        """Turn clips into features.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_times), list of 1-D arrays, or list of audio file paths
            The clips, as in ``fit``. A 2-D array must have the length seen in fit; lists may have any.

        Returns
        -------
        ndarray of shape (n_clips, n_features)
            float64 where X is a float64 array, float32 otherwise. The features of a clip depend on that clip alone.

        Raises
        ------
        ValueError
            A clip or file cannot be used, a 2-D array has another length than in fit, or ``output`` does not fit the
            clips or the fit; the message says which.
        RuntimeError
            This process was forked after torch had run, where torch would hang.

        Notes
        -----
        Where ``joblib.parallel_config`` sets ``n_jobs`` or a cluster, more than 64 files are shared among its workers.
        """
        return transform_views([self], X)[0]

    def transform_frames(self, X: Any) -> list[NDArray[np.float32]]:
        """Features of every frame, before they are reduced to one vector a clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_times), list of 1-D arrays, or list of audio file paths
            The clips.

        Returns
        -------
        list of ndarray of shape (n_frames, n_filters), float32
            One array a clip, ``hop_ms`` from frame to frame.

        Raises
        ------
        ValueError
            As in :meth:`transform`.
        """
        check_is_fitted(self)
        check_fork()
        clips, _ = self._check_clips(X, reset=False, rate=self._network.frontend.sample_rate)

        def rows_of(network: Network, features: Tensor, n_frames: Tensor) -> list[NDArray[np.float32]]:
            rows = features.transpose(1, 2).cpu().numpy()
            return [row[:length].copy() for row, length in zip(rows, n_frames.tolist(), strict=True)]

        return [row for rows in self._by_batch(clips, rows_of) for row in rows]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Names of the features, such as "leaf_012_1830hz_mean".

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Checked against the names seen in fit, otherwise unused.

        Returns
        -------
        ndarray of shape (n_features,), str objects
        """
        check_is_fitted(self)
        if hasattr(self, "n_features_in_"):
            check_feature_names_in(self, input_features)
        self._check_output()
        if self.output == "embedding":
            return self._names([f"embedding_{place:03d}" for place in range(self._network.n_embedded)])
        centres = self.center_frequencies_
        hertz = [""] * self._network.frontend.n_filters if centres is None else [f"_{hz:.0f}hz" for hz in centres]
        channels = [f"{place:03d}{name}" for place, name in enumerate(hertz)]
        if self.output == "frames":
            return self._names([f"{name}_t{frame:04d}" for frame in range(self._n_frames()) for name in channels])
        return self._names(
            [f"{name}_{how}" for how in block_names(check_functionals(self.functionals)) for name in channels]
        )

    def _check_output(self) -> None:
        """Raise where ``output`` was changed after fit to what there is not."""
        if self.output not in self._outputs:
            raise ValueError(f"Got output={self.output!r}, expected one of {list(self._outputs)}.")
        if self.output == "embedding" and not len(self._network.heads):
            raise ValueError("output='embedding' needs a trained encoder: fit with y and output='embedding'.")

    def _names(self, names: list[str]) -> NDArray[np.object_]:
        return np.array([f"{self._name}_{name}" for name in names], dtype=object)

    def _n_frames(self) -> int:
        if not hasattr(self, "n_features_in_"):
            raise ValueError("The names of output='frames' are known only after a fit on a 2-D array.")
        frontend = self._network.frontend
        rate = self.input_sample_rate or frontend.sample_rate
        return int(frontend.n_frames(resampled_length(self.n_features_in_, rate, frontend.sample_rate)))

    def _check_clips(self, X: Any, *, reset: bool, rate: float | None = None) -> tuple[Clips, np.dtype[Any]]:
        """X as clips, and the dtype that features of them have; ``rate`` is that of a fitted frontend."""
        dtype = np.dtype(np.float32)
        if clip_kind(X) == "array":
            # values are checked clip by clip, so that the error can say which clip
            X = validate_data(self, X, dtype=(np.float32, np.float64), ensure_all_finite=False, reset=reset, order="C")
            dtype = X.dtype
        elif reset:
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
        clips = as_clips(X, sample_rate=rate or self.sample_rate, input_sample_rate=self.input_sample_rate)
        if reset and clips.kind != "files":
            for place in range(len(clips)):
                clips.read(place)  # raises for a clip that no mini-batch might draw
        return clips, dtype

    def _by_batch(self, clips: Clips, use: Callable[[Network, Tensor, Tensor], R]) -> Iterator[R]:
        """Yield ``use(network, features (B, F, T), frames of each clip (B,))`` batch by batch; halved on a full GPU."""
        network = self._network_here()
        device = network.frontend.energy_scale.device
        halving = Halving()

        def make(waveforms: NDArray[np.float32], lengths: NDArray[np.int64]) -> R:
            return use(network, *network.features(torch.from_numpy(waveforms).to(device), torch.from_numpy(lengths)))

        size, samples = BATCH_CPU if device.type == "cpu" else BATCH_ELSEWHERE
        for _, waveforms, lengths in clips.batches(size, equal_lengths=network.equal_lengths, max_samples=samples):
            with torch.inference_mode():
                yield from halving(make, waveforms, lengths)

    def _network_here(self) -> Network:
        """Return the fitted network, or a copy on another device that `device` names: fitted state stays on the CPU."""
        device = resolve_device(self.device)
        if device.type == "cpu":
            return self._network
        return Network.from_state(self._network.to_state()).to(device)

    def _joined(self, rows: Sequence[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[np.floating[Any]]:
        """Features of all clips from those of each batch."""
        if len({row.shape[1] for row in rows}) > 1:
            raise ValueError(SEVERAL_LENGTHS)
        if self.output == "frames" and hasattr(self, "n_features_in_"):
            n_frames, wanted = rows[0].shape[1] // self._network.frontend.n_filters, self._n_frames()
            if n_frames != wanted:
                raise ValueError(
                    f"The clips have {n_frames} frames, those of fit had {wanted}; output='frames' needs one length."
                )
        return np.concatenate(rows).astype(dtype, copy=False)

    def _reduce(self, network: Network, features: Tensor, n_frames: Tensor) -> NDArray[Any]:
        """One row a clip: (B, F, T), (B,) -> (B, n_features)."""
        if self.output == "embedding":
            return network.embed(features, n_frames).cpu().numpy()
        if self.output == "frames":
            rows = features.transpose(1, 2).cpu().numpy()
            if len(set(n_frames.tolist())) > 1:
                raise ValueError(SEVERAL_LENGTHS)
            return rows.reshape(len(rows), -1)
        rate, names = network.frontend.sample_rate / network.frontend.hop, check_functionals(self.functionals)
        is_full = are_whole(n_frames.cpu(), features.shape[2])
        # Some channels at a time, so that an hour's frames take little memory; sums in float64 do not show how far
        # a clip was padded.
        most = REDUCED_CPU if features.device.type == "cpu" else REDUCED_ELSEWHERE
        width = max(most // (features.shape[0] * features.shape[2]), 2)  # a spectrum takes two rows
        blocks = [
            summarize(part.double(), n_frames, names, rate=rate, is_full=is_full).unflatten(1, (-1, part.shape[1]))
            for part in features.split(width, dim=1)
        ]
        return torch.cat(blocks, dim=2).flatten(1).cpu().numpy()

    def __sklearn_is_fitted__(self) -> bool:
        return "_network" in self.__dict__

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_network" in state:
            state["_network"] = state["_network"].to_state()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        # an error here would be lost in a worker that unpickles its task; the first use raises it
        if isinstance(state.get("_network"), dict) and not would_hang():
            state["_network"] = Network.from_state(state["_network"])
        super().__setstate__(state)


def transform_views(views: Sequence[AudioTransformer], X: Any) -> list[NDArray[np.floating[Any]]]:
    """``transform`` of copies of one fitted transformer, from one pass of its frontend over the clips.

    The views differ in ``output`` and ``functionals`` alone.
    """
    first = views[0]
    check_is_fitted(first)
    check_fork()
    for view in views:
        view._check_output()
    clips, dtype = first._check_clips(X, reset=False, rate=first._network.frontend.sample_rate)
    rows: Iterator[list[NDArray[Any]]]
    if clips.kind == "files" and len(clips) > FILES_A_JOB and n_workers() > 1:
        paths = clips.paths()
        parts = (paths[start : start + FILES_A_JOB] for start in range(0, len(paths), FILES_A_JOB))
        rows = map_with_model(transform_views, views, parts)
    else:
        rows = first._by_batch(clips, lambda *batch: [view._reduce(*batch) for view in views])
    return [view._joined(each, dtype) for view, each in zip(views, zip(*rows, strict=True), strict=True)]


@contextmanager
def unchanged_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Give the estimator its attributes back when the block raises, Ctrl-C included."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        # scikit-learn tears the callbacks of this fit down itself, by attributes of its own
        kept = {name: value for name, value in vars(estimator).items() if "callback" in name}
        vars(estimator).clear()
        vars(estimator).update(before | kept)
        raise
