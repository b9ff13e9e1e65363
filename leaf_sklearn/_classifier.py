"""LeafClassifier: the network that LeafTransformer trains, kept whole and used to predict."""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._base import unchanged_on_error
from ._checks import as_targets_array
from ._device import Halving
from ._documentation import DocumentedMixin
from ._fork import check_fork
from ._leaf import LeafTransformer
from ._persistence import Saved
from ._sklearn import HasMethods, fit_context
from ._training.recipe import crop_length

MAX_WINDOWS = 32  # windows scored at once


class LeafClassifier(DocumentedMixin, CallbackSupportMixin, ClassifierMixin, Saved):
    """Classify audio clips by the network that a LeafTransformer trains: frontend, encoder and linear head.

    Clips longer than the crop that training sees are scored in windows of that length and the outputs averaged.

    Parameters
    ----------
    transformer : LeafTransformer or None, default=None
        What to train; None means ``LeafTransformer()``. The parameters of one that is given are searchable, as
        ``transformer__n_filters``.

    Attributes
    ----------
    transformer_ : LeafTransformer
        The fitted transformer.
    classes_ : ndarray of shape (n_classes,) or list of ndarray
        Classes of y, a list of them where y has several columns.
    n_features_in_ : int
        Samples of a clip, where fit saw a 2-D array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Where fit saw a data frame whose columns have string names.

    See Also
    --------
    LeafTransformer : Features for a classifier of one's own.

    Examples
    --------
    >>> from leaf_sklearn import LeafClassifier, LeafTransformer
    >>> from leaf_sklearn.datasets import make_audio_classification
    >>> X, y = make_audio_classification(n_clips=40, random_state=0)
    >>> classifier = LeafClassifier(LeafTransformer(max_steps=8, random_state=0)).fit(X, y)
    >>> classifier.predict_proba(X).shape
    (40, 4)
    """

    _parameter_constraints = {"transformer": [HasMethods(["fit", "transform"]), None]}  # noqa: RUF012

    def __init__(self, transformer: LeafTransformer | None = None) -> None:
        self.transformer = transformer

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: Any = None,
        y_val: Any = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train frontend, encoder and head; the arguments are those of :meth:`LeafTransformer.fit`.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_times), list of 1-D arrays, or list of audio file paths
            The clips.
        y : array-like of shape (n_clips,) or (n_clips, n_columns)
            Labels: one a clip, an indicator matrix, or a column a task.
        sample_weight : array-like of shape (n_clips,), default=None
            Weight of each clip in the loss.
        X_val, y_val : like X and y, default=None
            Clips that score the training, instead of a part of X.
        groups : array-like of shape (n_clips,), default=None
            Clips of one group are never split between training and validation.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            y is missing or continuous, or as in :meth:`LeafTransformer.fit`.
        TypeError
            ``transformer`` is no LeafTransformer.
        """
        if y is None:
            raise ValueError("LeafClassifier requires y to be passed, but the target y is None.")
        labels = as_targets_array(y)
        if labels.ndim == 1 or (labels.dtype.kind == "f" and np.isfinite(labels).all()):
            check_classification_targets(labels)
        transformer = LeafTransformer() if self.transformer is None else clone(self.transformer)
        if not isinstance(transformer, LeafTransformer):
            raise TypeError(f"Got transformer={transformer!r}, expected a LeafTransformer or None.")
        root = self._init_callback_context(max_subtasks=1).call_on_fit_task_begin(estimator=self, X=X, y=y)
        task = root.subcontext(task_name="fit-transformer")
        with unchanged_on_error(self):
            # asking for the embedding trains the network also where the frontend has nothing to learn
            output, transformer.output = transformer.output, "embedding"
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            with task.propagate_callback_context(transformer):
                transformer.fit(X, y, sample_weight=sample_weight, X_val=X_val, y_val=y_val, groups=groups)
            transformer.output = output
            task.call_on_fit_task_end(estimator=self, X=X, y=y)
            root.call_on_fit_task_end(estimator=self, X=X, y=y)
            self.transformer_ = transformer
            self.classes_ = transformer.classes_
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
                if hasattr(transformer, name):
                    setattr(self, name, getattr(transformer, name))
        return self

    def decision_function(self, X: Any) -> NDArray[np.float32]:
        """Compute the outputs of the network before they become probabilities.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_times), list of 1-D arrays, or list of audio file paths
            The clips.

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_outputs)
            One column a class, a label, or a class of each task in turn; the difference of the two for a binary task.
        """
        outputs = self._outputs(X)
        if self.transformer_.task_ == "classification" and len(self.classes_) == 2:
            return outputs[:, 1] - outputs[:, 0]
        return outputs

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_times), list of 1-D arrays, or list of audio file paths
            The clips.

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_columns)
            Labels as in y.
        """
        outputs = self._outputs(X)
        if self.transformer_.task_ == "multilabel":
            return (outputs > 0).astype(np.int64)
        if self.transformer_.task_ == "multitask":
            parts = zip(self.classes_, self._by_task(outputs), strict=True)
            return np.stack([classes[part.argmax(1)] for classes, part in parts], axis=1)
        return np.asarray(self.classes_[outputs.argmax(1)])

    def predict_proba(self, X: Any) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Probability of each class, or of each label.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_times), list of 1-D arrays, or list of audio file paths
            The clips.

        Returns
        -------
        ndarray of shape (n_clips, n_classes), or list of them
            A list, one array a task, where y has columns of classes. For an indicator matrix, one column a label.
        """
        outputs = self._outputs(X)
        if self.transformer_.task_ == "multilabel":
            return expit(outputs)
        if self.transformer_.task_ == "multitask":
            return [softmax(part, axis=1) for part in self._by_task(outputs)]
        return softmax(outputs, axis=1)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy; over all labels there are where y has columns of classes, of whole rows for an indicator matrix.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_times), list of 1-D arrays, or list of audio file paths
            The clips.
        y : array-like of shape (n_clips,) or (n_clips, n_columns)
            True labels.
        sample_weight : array-like of shape (n_clips,), default=None
            Weight of each clip.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            Of several columns none holds a label that fit has seen, or they are not as many as in fit.
        """
        check_is_fitted(self)
        if self.transformer_.task_ != "multitask":
            return float(super().score(X, as_targets_array(y), sample_weight))
        predicted = self.predict(X)
        labels = as_targets_array(y, len(predicted))
        if labels.shape != predicted.shape:
            raise ValueError(
                f"Got y of shape {labels.shape}, expected {predicted.shape}: a column for each task of fit."
            )
        known = np.stack([np.isin(column, names) for column, names in zip(labels.T, self.classes_, strict=True)], 1)
        weights = known * (1.0 if sample_weight is None else np.asarray(sample_weight)[:, None])
        if not weights.any():
            raise ValueError("Got y with no label that fit has seen, at least one is needed to score.")
        return float(((predicted == labels) * weights).sum() / weights.sum())

    def _by_task(self, outputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return np.split(outputs, np.cumsum([len(classes) for classes in self.classes_])[:-1], axis=1)

    def _outputs(self, X: Any) -> NDArray[np.float32]:
        """Mean output of heads and windows: (n_clips, n_outputs)."""
        check_is_fitted(self)
        transformer = self.transformer_
        check_fork()
        rate = transformer._network.frontend.sample_rate
        clips, _ = transformer._check_clips(X, reset=False, rate=rate)
        network = transformer._network_here()
        device = network.frontend.energy_scale.device
        crop = crop_length(transformer.recipe, transformer.crop_ms, rate)
        rows = np.zeros((len(clips), network.n_outputs), dtype=np.float32)
        halving = Halving()

        def score(waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
            window = torch.from_numpy(waveforms).to(device)
            sizes = torch.full((len(window),), window.shape[1])
            return torch.stack(network(window, sizes)).mean(0).cpu().numpy()

        with torch.inference_mode():
            for indices, waveforms, lengths in clips.batches(MAX_WINDOWS, equal_lengths=True):
                starts = window_starts(int(lengths[0]), crop)
                for start in starts:
                    outputs = np.concatenate(list(halving(score, waveforms[:, start : start + crop])))
                    rows[indices] += outputs / len(starts)
        return rows

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # scikit-learn's checks feed "audio" of two samples
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


def window_starts(n_times: int, crop: int) -> list[int]:
    """Where windows of ``crop`` samples start that cover a clip, as evenly as can be; the last ends with the clip."""
    n_windows = max(1, -(-n_times // crop))
    return [round(place * max(0, n_times - crop) / max(1, n_windows - 1)) for place in range(n_windows)]
