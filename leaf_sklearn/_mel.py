"""MelTransformer: the baseline, log-mel features with nothing to train."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Self

from ._base import AudioTransformer, unchanged_on_error
from ._device import resolve_device
from ._fork import check_fork
from ._functionals import DEFAULT, check_functionals
from ._sklearn import Interval, StrOptions, fit_context
from ._training.energies import measure_energies
from ._training.network import Network
from ._training.start import FLOORS, check_floor, scale_energies
from .frontends import make_frontend

OUTPUTS = ("functionals", "frames")


class MelTransformer(AudioTransformer):
    """Log-mel features of audio clips: the reference's mel filterbank, nothing trained.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz at which clips are analysed, 1000 to 192000; files of other rates are resampled.
    input_sample_rate : int or None, default=None
        Rate in Hz of clips given as arrays; None means ``sample_rate``. Files carry their own.
    n_filters : int, default=40
        Mel bands; 1 to 1024.
    window_ms : float, default=25.0
        Window of the short-time Fourier transform in milliseconds, up to 10000.
    hop_ms : float, default=10.0
        From frame to frame, in milliseconds, up to 10000.
    fmin : float or None, default=None
        Lower edge of the lowest band in Hz; None means 60.
    fmax : float or None, default=None
        Upper edge of the highest band in Hz; None means 7800, or 0.4875 * ``sample_rate`` where that is not
        below half of it.
    compression : {"log", "pcen", "root", None}, default="log"
        Of the band energies: ``log(x + 1e-5)``, PCEN or a square root with the reference's fixed parameters, or none.
    floor : float or None, default=None
        Under the logarithm: None adds the reference's 1e-5 to every energy; a number, 1e-10 to 1000, adds this share of
        the band's mean energy over the clips given to ``fit``, so that 1e-4 keeps 40 dB below each band's mean.
    functionals : tuple of str, default=("mean", "std", "delta_std", "mean_thirds", "mod_0_3hz", ..., "mod_24_50hz")
        How the frames of a clip become one vector, see :class:`LeafTransformer`.
    output : {"functionals", "frames"}, default="functionals"
        One vector of functionals a clip, or all frames one after the other (clips of one length only).
    device : str, default="auto"
        Where transform computes: "auto" takes CUDA or else the CPU.

    Attributes
    ----------
    n_features_in_ : int
        Samples of a clip, where fit saw a 2-D array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Where fit saw a data frame whose columns have string names.
    frontend_ : torch.nn.Module
        The filterbank, from waveforms (B, N) to features (B, F, T).
    center_frequencies_ : ndarray of shape (n_filters,)
        Centres of the bands in Hz.
    bandwidths_ : ndarray of shape (n_filters,)
        Widths of the bands at half height in Hz.
    n_parameters_ : int
        Trainable parameters: 0.
    device_ : str
        The device that ``device`` stood for in fit.

    See Also
    --------
    LeafTransformer : Features whose filterbank is trained in fit.

    Notes
    -----
    Power of a short-time Fourier transform (Hann window, 512 points or more), triangular bands on the mel scale
    1127 ln(1 + f / 700), f in Hz: the filterbank that LEAF is compared with in its paper (Zeghidour et al., ICLR 2021).

    Examples
    --------
    >>> from leaf_sklearn import MelTransformer
    >>> from leaf_sklearn.datasets import make_audio_classification
    >>> X, y = make_audio_classification(n_clips=4, random_state=0)
    >>> MelTransformer(n_filters=20).fit_transform(X).shape
    (4, 220)
    """

    _parameter_constraints = {  # noqa: RUF012
        **AudioTransformer._parameter_constraints,
        "output": [StrOptions(set(OUTPUTS))],
        "floor": [Interval(Real, *FLOORS, closed="both"), None],
    }
    _name = "mel"
    _outputs = OUTPUTS

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        input_sample_rate: int | None = None,
        n_filters: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        fmin: float | None = None,
        fmax: float | None = None,
        compression: str | None = "log",
        floor: float | None = None,
        functionals: Sequence[str] = DEFAULT,
        output: str = "functionals",
        device: str = "auto",
    ) -> None:
        self.sample_rate = sample_rate
        self.input_sample_rate = input_sample_rate
        self.n_filters = n_filters
        self.window_ms = window_ms
        self.hop_ms = hop_ms
        self.fmin = fmin
        self.fmax = fmax
        self.compression = compression
        self.floor = floor
        self.functionals = functionals
        self.output = output
        self.device = device

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the settings and the clips; a ``floor`` is measured, otherwise there is nothing to learn.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_times), list of 1-D arrays, or list of audio file paths
            The clips. Files are read for a ``floor`` alone.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A setting, a clip or a file cannot be used; the message says which and why.
        """
        self._init_callback_context().call_on_fit_task_begin(estimator=self, X=X, y=y)
        check_fork()
        with unchanged_on_error(self):
            check_functionals(self.functionals)
            device = resolve_device(self.device)
            clips, _ = self._check_clips(X, reset=True)
            frontend = make_frontend(
                "mel",
                sample_rate=self.sample_rate,
                n_filters=self.n_filters,
                window_ms=self.window_ms,
                hop_ms=self.hop_ms,
                fmin=self.fmin,
                fmax=self.fmax,
                compression=self.compression,
                learn_pcen=self.compression != "pcen",
            )
            check_floor(frontend, self.floor)
            if self.floor is not None:
                scale_energies(frontend, measure_energies(frontend, clips, device), self.floor)
            self.n_parameters_ = 0
            self.device_ = str(device)
            self._network = Network(frontend, None, 0, statistics=False).requires_grad_(False).eval()
        self._callback_fit_ctx.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self
