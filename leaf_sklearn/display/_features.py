"""FeaturesDisplay: the time-frequency picture of a clip, mel beside learned."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._base import AudioTransformer
from .._mel import MelTransformer
from ..dsp.scales import Floats
from ._estimators import audio_transformer
from ._figures import IMAGE_COLOURS, TICKS_HZ, as_ax, grid_of_axes, label_frequencies

UNITS = {"PCEN": "PCEN", "Log": "Log energy", "Root": "Root of energy", "Compression": "Energy"}
SHOWN_PERCENT = (1.0, 99.0)  # the colours' range, so that one frame does not decide it


@dataclass(frozen=True)
class Picture:
    """Features of one clip.

    Attributes
    ----------
    name : str
        Shown as the title.
    values : ndarray of shape (n_frames, n_filters)
        Features of every frame.
    center_frequencies : ndarray of shape (n_filters,) or None
        In Hz; None where channels have none.
    hop_s : float
        Seconds from frame to frame.
    unit : str
        What the values are.
    """

    name: str
    values: Floats
    center_frequencies: Floats | None
    hop_s: float
    unit: str


class FeaturesDisplay:
    """Time-frequency pictures of a clip, side by side: seconds across, channels from low to high, labelled in Hz.

    Make one with :meth:`from_estimator`.

    Parameters
    ----------
    pictures : list of Picture
        One a transformer.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        The panels that were drawn, without those of the colour bars.
    figure_ : matplotlib Figure
        The figure that they are in.

    Examples
    --------
    >>> from leaf_sklearn import LeafTransformer
    >>> from leaf_sklearn.datasets import make_audio_classification
    >>> from leaf_sklearn.display import FeaturesDisplay
    >>> X, y = make_audio_classification(n_clips=8, random_state=0)
    >>> leaf = LeafTransformer(max_steps=2, random_state=0).fit(X, y)
    >>> display = FeaturesDisplay.from_estimator(leaf, X[0])
    >>> [panel.get_title() for panel in display.ax_]
    ['mel', 'leaf']
    """

    def __init__(self, pictures: list[Picture]) -> None:
        self.pictures = pictures

    @classmethod
    def from_estimator(cls, estimator: Any, clip: Any, *, reference: Any = "mel", ax: Any = None) -> Self:
        """Make the features of one clip and draw them.

        Parameters
        ----------
        estimator : LeafTransformer, MelTransformer, LeafClassifier, Pipeline or a search over one
            Fitted.
        clip : array-like of shape (n_times,) or path
            The clip, or an audio file.
        reference : "mel", fitted estimator or None, default="mel"
            What is drawn beside it: a mel filterbank with the same settings, another estimator, or nothing.
        ax : matplotlib Axes, array-like of them, or None
            As in :meth:`plot`.

        Returns
        -------
        FeaturesDisplay
        """
        return cls.of(estimator, clip, reference=reference).plot(ax=ax)

    @classmethod
    def of(cls, estimator: Any, clip: Any, *, reference: Any = "mel") -> Self:
        """Make the features of one clip without drawing them.

        Parameters
        ----------
        estimator, clip, reference
            As in :meth:`from_estimator`.

        Returns
        -------
        FeaturesDisplay
        """
        transformer = audio_transformer(estimator)
        pictures = [_picture(transformer, clip)]
        if isinstance(reference, str):
            if reference != "mel":
                raise ValueError(f"Got reference={reference!r}, expected 'mel', a fitted estimator or None.")
            names = ("sample_rate", "input_sample_rate", "n_filters", "window_ms", "hop_ms", "fmin", "fmax")
            mel = MelTransformer(**{name: getattr(transformer, name) for name in names}).fit([_as_clip(clip)])
            pictures.insert(0, _picture(mel, clip))
        elif reference is not None:
            check_is_fitted(reference)
            pictures.insert(0, _picture(audio_transformer(reference), clip))
        return cls(pictures)

    def plot(self, ax: Any = None, *, cmap: str = IMAGE_COLOURS) -> Self:
        """Draw the pictures.

        Parameters
        ----------
        ax : matplotlib Axes, array-like of them, or None
            One axes, divided where there are several pictures, or one a picture; None makes a figure.
        cmap : str, default="cividis"
            Colours, a colormap of matplotlib.

        Returns
        -------
        FeaturesDisplay
        """
        panels = grid_of_axes(ax, [len(self.pictures)], self.figure_size())
        for panel, picture in zip(panels, self.pictures, strict=True):
            _draw(panel, picture, cmap)
        self.ax_, self.figure_ = as_ax(panels), panels[0].figure
        return self

    def figure_size(self, **_: Any) -> tuple[float, float]:
        """Width and height in inches of a figure that the pictures are legible in."""
        return 5.2 * len(self.pictures), 3.8


def _picture(transformer: AudioTransformer, clip: Any) -> Picture:
    frontend = transformer.frontend_
    (values,) = transformer.transform_frames([_as_clip(clip)])
    return Picture(
        name=frontend.config["name"],
        values=values.astype(np.float64),
        center_frequencies=transformer.center_frequencies_,
        hop_s=frontend.hop / frontend.sample_rate,
        unit=UNITS.get(type(frontend.compression).__name__, "Feature"),
    )


def _as_clip(clip: Any) -> Any:
    if isinstance(clip, str) or hasattr(clip, "__fspath__"):
        return clip
    samples = np.asarray(clip)
    if samples.ndim != 1 or samples.dtype.kind not in "biuf":
        raise ValueError(
            f"Got a clip of shape {samples.shape} and type {samples.dtype}, expected one: a 1-D array of numbers or a "
            "path. Pass X[0]."
        )
    return samples


def _draw(panel: Any, picture: Picture, cmap: str) -> None:
    values, centers = picture.values, picture.center_frequencies
    n_frames, n_filters = values.shape
    order = np.arange(n_filters) if centers is None else np.argsort(centers, kind="stable")
    low, high = np.percentile(values, SHOWN_PERCENT)
    image = panel.imshow(
        values[:, order].T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(0.0, n_frames * picture.hop_s, -0.5, n_filters - 0.5),
        cmap=cmap,
        vmin=low,
        vmax=high if high > low else low + 1.0,
    )
    panel.figure.colorbar(image, ax=panel, label=picture.unit, extend="both", pad=0.02)
    panel.set(xlabel="Time (s)", title=picture.name)
    if centers is None:
        panel.set_ylabel("Channel")
        return
    panel.set_ylabel("Centre frequency (Hz)")
    hertz, places = _ticks(centers[order])
    label_frequencies(panel.yaxis, hertz, places)


def _ticks(centers: Floats) -> tuple[ArrayLike, ArrayLike]:
    """Round frequencies and the rows that they fall between: sorted centres -> Hz, rows."""
    hertz = np.array([hz for hz in TICKS_HZ if centers[0] <= hz <= centers[-1]])
    if len(hertz) < 2:
        places = np.unique(np.linspace(0, len(centers) - 1, 5).round().astype(int))
        return centers[places].round(), places
    return hertz, np.interp(hertz, centers, np.arange(len(centers)))
