"""FilterbankDisplay: where filters are, how wide, how far training moved them, and what stands behind them."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..dsp.scales import Floats
from ..frontends import PCEN, make_frontend
from ..frontends.parameters import as_floats
from ..frontends.pooling import GaussianPooling
from ._estimators import audio_transformer
from ._figures import as_ax, grid_of_axes, tidy
from ._panels import PANELS, ROWS
from ._responses import power_responses

FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))  # full width at half maximum of a Gaussian, over its standard deviation


class FilterbankDisplay:
    """Pictures of the filters of a fitted transformer, before and after training.

    Make one with :meth:`from_estimator`.

    Parameters
    ----------
    frequencies : ndarray of shape (J,)
        Where the responses are sampled, in Hz.
    responses : ndarray of shape (n_filters, J)
        Power responses, each as a share of its own maximum.
    center_frequencies, bandwidths : ndarray of shape (n_filters,)
        In Hz.
    initial_center_frequencies, initial_bandwidths : ndarray of shape (n_filters,), default=None
        Before training; None: nothing moved.
    mel_center_frequencies : ndarray of shape (n_filters,), default=None
        Of a mel filterbank with the same settings.
    pooling_widths_ms : ndarray of shape (n_filters,), default=None
        Full widths at half maximum of the pooling windows; None where the pooling has no width of its own a filter.
    initial_pooling_widths_ms : ndarray of shape (n_filters,), default=None
        Before training.
    pcen : mapping of str to ndarray of shape (n_filters,), default=None
        "alpha", "delta", "root" and "smooth"; None without PCEN.
    pcen_start : mapping of str to float, default=None
        The same where training began.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        The panels that were drawn.
    figure_ : matplotlib Figure
        The figure that they are in.

    Examples
    --------
    >>> from leaf_sklearn import MelTransformer
    >>> from leaf_sklearn.datasets import make_audio_classification
    >>> from leaf_sklearn.display import FilterbankDisplay
    >>> X, _ = make_audio_classification(n_clips=4, random_state=0)
    >>> display = FilterbankDisplay.from_estimator(MelTransformer().fit(X), kind="responses")
    >>> display.ax_.get_xlabel()
    'Frequency (Hz)'
    """

    def __init__(
        self,
        *,
        frequencies: ArrayLike,
        responses: ArrayLike,
        center_frequencies: ArrayLike,
        bandwidths: ArrayLike,
        initial_center_frequencies: ArrayLike | None = None,
        initial_bandwidths: ArrayLike | None = None,
        mel_center_frequencies: ArrayLike | None = None,
        pooling_widths_ms: ArrayLike | None = None,
        initial_pooling_widths_ms: ArrayLike | None = None,
        pcen: Mapping[str, ArrayLike] | None = None,
        pcen_start: Mapping[str, float] | None = None,
    ) -> None:
        self.frequencies, self.responses = np.asarray(frequencies), np.asarray(responses)
        self.center_frequencies, self.bandwidths = np.asarray(center_frequencies), np.asarray(bandwidths)
        self.initial_center_frequencies = _or(initial_center_frequencies, self.center_frequencies)
        self.initial_bandwidths = _or(initial_bandwidths, self.bandwidths)
        self.mel_center_frequencies = None if mel_center_frequencies is None else np.asarray(mel_center_frequencies)
        self.pooling_widths_ms = None if pooling_widths_ms is None else np.asarray(pooling_widths_ms)
        self.initial_pooling_widths_ms = (
            None if initial_pooling_widths_ms is None else np.asarray(initial_pooling_widths_ms)
        )
        self.pcen = None if pcen is None else {name: np.asarray(values) for name, values in pcen.items()}
        self.pcen_start = dict(pcen_start or {})

    @classmethod
    def from_estimator(cls, estimator: Any, *, kind: str = "overview", ax: Any = None) -> Self:
        """Read the filters of a fitted transformer and draw them.

        Parameters
        ----------
        estimator : LeafTransformer, MelTransformer, LeafClassifier, Pipeline or a search over one
            Fitted.
        kind : str, default="overview"
            As in :meth:`plot`.
        ax : matplotlib Axes, array-like of them, or None
            As in :meth:`plot`.

        Returns
        -------
        FilterbankDisplay

        Raises
        ------
        ValueError
            The frontend is "wavegram", which has no filters with a centre frequency.
        """
        return cls.of(estimator).plot(ax=ax, kind=kind)

    @classmethod
    def of(cls, estimator: Any) -> Self:
        """Read the filters of a fitted transformer without drawing them.

        Parameters
        ----------
        estimator : LeafTransformer, MelTransformer, LeafClassifier, Pipeline or a search over one
            Fitted.

        Returns
        -------
        FilterbankDisplay
        """
        transformer = audio_transformer(estimator)
        frontend = transformer.frontend_
        centers, bandwidths = transformer.center_frequencies_, transformer.bandwidths_
        if centers is None or bandwidths is None:
            raise ValueError(
                f"The frontend {frontend.config['name']!r} has no filters with a centre frequency to draw."
            )
        frequencies, responses = power_responses(frontend.filterbank)
        settings = ("sample_rate", "n_filters", "window_ms", "hop_ms", "fmin", "fmax")
        mel = make_frontend("mel", **{name: frontend.config[name] for name in settings})
        pooling, compression = frontend.pooling, frontend.compression
        widths: dict[str, Floats] = {}
        if isinstance(pooling, GaussianPooling):
            start = GaussianPooling(frontend.n_filters, pooling.kernel_size, pooling.hop)
            half_window_ms = 500.0 * (pooling.kernel_size - 1) / frontend.sample_rate
            for name, each in (("pooling_widths_ms", pooling), ("initial_pooling_widths_ms", start)):
                widths[name] = FWHM * half_window_ms * as_floats(each.clipped_width)
        pcen = None
        if isinstance(compression, PCEN):
            pcen = {name: as_floats(getattr(compression, name)) for name in ("alpha", "delta", "root", "smooth")}
        return cls(
            frequencies=frequencies,
            responses=responses,
            center_frequencies=centers,
            bandwidths=bandwidths,
            initial_center_frequencies=getattr(transformer, "initial_center_frequencies_", None),
            initial_bandwidths=getattr(transformer, "initial_bandwidths_", None),
            mel_center_frequencies=mel.center_frequencies(),
            pcen=pcen,
            pcen_start=_start(transformer) if pcen else None,
            **widths,
        )

    @property
    def drift_hz(self) -> Floats:
        """How far training moved each centre, in Hz, (n_filters,)."""
        return self.center_frequencies - self.initial_center_frequencies

    @property
    def drift_octaves(self) -> Floats:
        """How far training moved each centre, in octaves, (n_filters,); NaN where it came from or went to 0 Hz."""
        before, after = self.initial_center_frequencies, self.center_frequencies
        audible = (before > 0) & (after > 0)
        return np.log2(np.where(audible, after, np.nan) / np.where(audible, before, 1.0))

    def kinds(self) -> list[str]:
        """List the kinds of picture that this frontend has."""
        without = {"pooling": self.pooling_widths_ms is None, "pcen": self.pcen is None}
        return [kind for kind in ROWS if not without.get(kind)]

    def plot(self, ax: Any = None, *, kind: str = "overview") -> Self:
        """Draw the filters.

        Parameters
        ----------
        ax : matplotlib Axes, array-like of them, or None
            One axes, divided where the kind has several panels, or as many as it has; None makes a figure.
        kind : {"overview", "responses", "centers", "bandwidths", "drift", "pooling", "pcen"}, default="overview"
            Frequency responses; centre by filter, against mel; bandwidth against centre; drift from the start in Hz
            and in octaves; widths of the pooling windows in ms; PCEN's parameters; or all of these.

        Returns
        -------
        FilterbankDisplay
        """
        names = self._panel_names(kind)
        panels = grid_of_axes(ax, [len(row) for row in names], self.figure_size(kind=kind))
        for panel, name in zip(panels, [name for row in names for name in row], strict=True):
            PANELS[name](panel, self)
        tidy(panels)
        self.ax_, self.figure_ = as_ax(panels), panels[0].figure
        return self

    def figure_size(self, *, kind: str = "overview") -> tuple[float, float]:
        """Width and height in inches of a figure that this kind is legible in."""
        names = self._panel_names(kind)
        return {1: 7.0, 2: 10.0}.get(max(map(len, names)), 14.4), 3.6 * len(names)

    def _panel_names(self, kind: str) -> list[list[str]]:
        """Names of the panels of a kind, row by row."""
        if kind not in (*ROWS, "overview"):
            raise ValueError(f"Got kind={kind!r}, expected one of {[*ROWS, 'overview']}.")
        if kind != "overview":
            if kind not in self.kinds():
                raise ValueError(f"Got kind={kind!r}, but this frontend has none; it has {self.kinds()}.")
            return [list(ROWS[kind])]
        one = [kind for kind in self.kinds() if kind not in ("responses", "drift", "pcen")]
        rows = [["responses"], one, list(ROWS["drift"])]
        return [*rows, list(ROWS["pcen"])] if self.pcen else rows


def _or(values: ArrayLike | None, otherwise: Floats) -> Floats:
    return otherwise if values is None else np.asarray(values)


def _start(transformer: Any) -> dict[str, float] | None:
    """PCEN's parameters where training began, as the history tells; None where it does not."""
    history: list[dict[str, Any]] = getattr(transformer, "history_", [])
    start = history[0].get("start") if history else None
    return dict(start) if isinstance(start, Mapping) else None
