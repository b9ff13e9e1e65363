"""LeafTransformer: fit(X, y) trains a frontend, transform(X) gives its features."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.callback import CallbackContext
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ._base import AudioTransformer, unchanged_on_error
from ._checks import as_targets_array, check_groups, check_weights, hash_data
from ._clips.clips import Clips
from ._device import free_memory, resolve_device
from ._fork import check_fork
from ._functionals import DEFAULT, check_functionals
from ._history import History
from ._sklearn import Interval, StrOptions, fit_context
from ._training.energies import measure_energies
from ._training.loop import Labelled, Training, describe, round_sizes
from ._training.network import Network
from ._training.recipe import RECIPES
from ._training.split import hold_out
from ._training.start import FLOORS, check_floor, check_starts, start_frontend
from ._training.targets import ClassWeight, Targets, make_targets
from ._training.trial import Trial
from .frontends import Frontend, make_frontend


class LeafTransformer(AudioTransformer):
    """Features of audio clips by a frontend that is trained in fit.

    ``fit(X, y)`` trains the frontend (filterbank, pooling, compression) together with a temporary classifier on its
    features; ``transform(X)`` reduces the features of each clip to one vector for any scikit-learn estimator.

    Parameters
    ----------
    frontend : {"leaf", "sincnet", "sincnet+", "td-fbanks", "mel-pcen", "wavegram", "mel"}, default="leaf"
        The frontend, a row of the paper's Table 4: a preset of filterbank, pooling and compression.
    sample_rate : int, default=16000
        Rate in Hz at which clips are analysed, 1000 to 192000; files of other rates are resampled.
    input_sample_rate : int or None, default=None
        Rate in Hz of clips given as arrays; None means ``sample_rate``. Files carry their own.
    n_filters : int, default=40
        Filters, the channels of the features; 1 to 1024.
    window_ms : float, default=25.0
        Length of a filter in milliseconds, up to 10000.
    hop_ms : float, default=10.0
        From frame to frame, in milliseconds, up to 10000. "wavegram" always takes 640 samples.
    fmin : float or None, default=None
        Lower edge in Hz of the initial filters; None means the preset's own, 60, for sinc filters 50.
    fmax : float or None, default=None
        Upper edge in Hz of the initial filters; None means the preset's own, 7800, for sinc filters 7900, or
        0.4875 * ``sample_rate`` where that is not below half of it.
    init : {"mel", "bark", "erb", "linear", "random"} or array-like of shape (n_filters, 2), default="mel"
        Scale on which the initial filters are spaced, or their centres and bandwidths in Hz.
    pooling : {"auto", "gaussian", "lowpass", "max"}, default="auto"
        From samples to frames; "auto" is the preset's own.
    compression : {"auto", "pcen", "log", "root", None}, default="auto"
        Of the energies; "auto" is the preset's own.
    floor : float or None, default=None
        What is added to energies under a logarithm: None means the recipe's, 2e-5 of the channel's mean energy, paper
        1e-5 whatever the mean; a number, 1e-10 to 1000, is another share of the mean, so that 1e-4 keeps 40 dB below
        it. Not with PCEN.
    algorithm : {"auto", "direct", "fast"}, default="auto"
        "direct" convolves sample by sample; "fast" works on bands of a Fourier transform and agrees with it, energies
        within 1e-5 of the loudest, features of recordings within 2e-3; "auto" takes "fast" where there is one.
    functionals : tuple of str, default=("mean", "std", "delta_std", "mean_thirds", "mod_0_3hz", ..., "mod_24_50hz")
        How the frames of a clip become one vector: any of "mean", "std", "delta_std" (standard deviation of the step
        from frame to frame), "min", "max", "q10", "q50", "q90", "skew", "slope", and "mod_0_3hz", "mod_3_6hz",
        "mod_6_12hz", "mod_12_24hz", "mod_24_50hz" (standard deviation of the part that fluctuates at these rates). With
        "_thirds" behind it a functional is taken of each third of the clip.
    output : {"functionals", "frames", "embedding"}, default="functionals"
        Functionals of the frames, all frames one after the other (clips of one length only), or the encoder's
        embedding of the clip. May be changed after fit, to the embedding where fit trained an encoder.
    encoder : {"cnn", "linear", "cnn14", "efficientnet_b0"} or callable, default="cnn"
        What stands between features and loss in fit, in the default recipe beside a linear head on statistics. A
        callable takes ``n_filters`` and returns an nn.Module from (B, F, T) to (B, E).
    recipe : {"default", "paper"}, default="default"
        "default": energies divided by the channel's mean, PCEN started where a cross-validation likes it, a learning
        rate for each kind of parameter, one cycle of it. "paper": the reference's start and Adam at 1e-4.
    compression_search : bool or array-like of shape (n_starts, 3), default=True
        Whether the default recipe picks PCEN's start by cross-validation on the training clips, and from which rows of
        (alpha, delta, root); True: 15 of its own, False: a fixed start. Of no effect in the paper's recipe and without
        PCEN.
    max_steps : int, default=480
        Mini-batches to train on.
    batch_size : int, default=32
        Clips of a mini-batch, 2 or more: batch norm learns from several.
    crop_ms : float or None, default=None
        Longest stretch of a clip that a mini-batch sees, in milliseconds; None means the recipe's: 1500, paper 1000.
    learning_rate : float or None, default=None
        Peak learning rate of the frontend; None means the recipe's: 0.04 on the default's own scale (three times that
        for centres and bandwidths), paper 1e-4.
    validation_fraction : float or None, default=0.1
        Share of the clips (of the groups, where given) held out of training to judge it: where the default recipe's
        features got worse by more than a standard error, the start is kept; of the paper's recipe the best state is.
        None, or a share of fewer than 10 clips, trains on all clips and keeps the last state.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss.
    device : str, default="auto"
        Where fit and transform compute: "auto" takes CUDA or else the CPU. Fitted state lives on the CPU.
    random_state : int, RandomState instance or None, default=None
        Seeds everything random in fit. Equal seeds give equal features at an equal number of threads.
    verbose : int, default=0
        1 prints a line an evaluation.

    Attributes
    ----------
    n_features_in_ : int
        Samples of a clip, where fit saw a 2-D array.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Where fit saw a data frame whose columns have string names.
    classes_ : ndarray, list of ndarray or None
        Classes of y, a list of them where y has several columns, None for regression and without y.
    task_ : {"classification", "multilabel", "multitask", "regression"} or None
        What y asked for.
    frontend_ : torch.nn.Module
        The trained frontend, from waveforms (B, N) to features (B, F, T).
    center_frequencies_ : ndarray of shape (n_filters,) or None
        Centres of the filters in Hz; None for "wavegram", whose channels are no filters, here and in what follows.
    bandwidths_ : ndarray of shape (n_filters,) or None
        Bandwidths of the filters in Hz: the full width at half the peak of the power response, the distance of the
        edges for sinc filters, the width at half height for mel triangles.
    initial_center_frequencies_ : ndarray of shape (n_filters,)
        Centres before training.
    initial_bandwidths_ : ndarray of shape (n_filters,)
        Bandwidths before training.
    center_shifts_ : ndarray of shape (n_filters,)
        How far training moved the centres, in Hz.
    bandwidth_ratios_ : ndarray of shape (n_filters,)
        What training made of the bandwidths, as a multiple.
    n_parameters_ : int
        Trainable parameters of the frontend.
    n_iter_ : int
        Steps taken.
    best_step_ : int
        The step whose state was kept; 0 where the start was better.
    history_ : list of dict
        First the start: "start" (its PCEN), "picked_by" (how, or why it is fixed), "start_score" (cross-validated
        accuracy), "validation" (why no clips are held out), "kept" ("trained" or "start") with what it was judged by:
        "held_out_clips", scores "held_out_start" and "held_out_trained" of the features, and "difference_error"; or
        "judged" (why not). Then one entry an evaluation of the run, also of one that was undone: step, loss (mean since
        the last), score of the held-out clips (accuracy; minus the loss for multilabel and regression targets; None
        where none are held out), learning_rate.
    device_ : str
        The device that ``device`` stood for in fit.
    training_data_hash_ : str
        Tells the X and y of fit from others: the samples of arrays, the names and sizes of files, and the labels.

    See Also
    --------
    MelTransformer : The fixed baseline.

    References
    ----------
    N. Zeghidour, O. Teboul, F. de Chaumont Quitry, M. Tagliasacchi, "LEAF: A Learnable Frontend for Audio
    Classification", ICLR 2021.

    Examples
    --------
    >>> from leaf_sklearn import LeafTransformer
    >>> from leaf_sklearn.datasets import make_audio_classification
    >>> X, y = make_audio_classification(n_clips=40, random_state=0)
    >>> leaf = LeafTransformer(max_steps=8, random_state=0).fit(X, y)
    >>> leaf.transform(X).shape
    (40, 440)
    """

    _parameter_constraints = {  # noqa: RUF012
        **AudioTransformer._parameter_constraints,
        "frontend": [str],
        "init": [str, "array-like"],
        "pooling": [str],
        "floor": [Interval(Real, *FLOORS, closed="both"), None],
        "algorithm": [StrOptions({"auto", "direct", "fast"})],
        "encoder": [str, callable],
        "recipe": [StrOptions(set(RECIPES))],
        "compression_search": ["boolean", "array-like"],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "crop_ms": [Interval(Real, 0, None, closed="neither"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    _name = "leaf"
    _history: list[dict[str, Any]]

    def __init__(
        self,
        frontend: str = "leaf",
        *,
        sample_rate: int = 16000,
        input_sample_rate: int | None = None,
        n_filters: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        fmin: float | None = None,
        fmax: float | None = None,
        init: str | ArrayLike = "mel",
        pooling: str = "auto",
        compression: str | None = "auto",
        floor: float | None = None,
        algorithm: str = "auto",
        functionals: Sequence[str] = DEFAULT,
        output: str = "functionals",
        encoder: str | Callable[[int], nn.Module] = "cnn",
        recipe: str = "default",
        compression_search: bool | ArrayLike = True,
        max_steps: int = 480,
        batch_size: int = 32,
        crop_ms: float | None = None,
        learning_rate: float | None = None,
        validation_fraction: float | None = 0.1,
        class_weight: ClassWeight = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.frontend = frontend
        self.sample_rate = sample_rate
        self.input_sample_rate = input_sample_rate
        self.n_filters = n_filters
        self.window_ms = window_ms
        self.hop_ms = hop_ms
        self.fmin = fmin
        self.fmax = fmax
        self.init = init
        self.pooling = pooling
        self.compression = compression
        self.floor = floor
        self.algorithm = algorithm
        self.functionals = functionals
        self.output = output
        self.encoder = encoder
        self.recipe = recipe
        self.compression_search = compression_search
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.crop_ms = crop_ms
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @property
    def history_(self) -> History:
        """The start, then one entry an evaluation; prints as a table."""
        check_is_fitted(self)
        return History(self._history)

    @property
    def center_shifts_(self) -> NDArray[np.float64] | None:
        """How far each filter's centre moved in training, in Hz, (n_filters,); None for "wavegram"."""
        final, initial = self.center_frequencies_, self.initial_center_frequencies_
        return None if final is None or initial is None else final - initial

    @property
    def bandwidth_ratios_(self) -> NDArray[np.float64] | None:
        """Each filter's bandwidth as a multiple of what it was before training, (n_filters,); None for "wavegram"."""
        final, initial = self.bandwidths_, self.initial_bandwidths_
        return None if final is None or initial is None else final / initial

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: Any = None,
        y_val: Any = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train the frontend.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_times), list of 1-D arrays, or list of audio file paths
            The clips: an array, arrays of unequal length, or wav, flac, ogg and mp3 files, decoded as they are needed.
        y : array-like of shape (n_clips,) or (n_clips, n_columns), or None
            One label a clip; an indicator matrix of labels; a column of labels a task, -1, NaN or None where one is
            missing; or numbers (regression). None trains nothing.
        sample_weight : array-like of shape (n_clips,), default=None
            Weight of each clip in the loss.
        X_val, y_val : like X and y, default=None
            Clips that score the training, instead of a part of X.
        groups : array-like of shape (n_clips,), default=None
            Clips of one group (a speaker, a recording) are never split between training and validation.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A setting, a clip, a file or y cannot be used; the message says which and why.
        FloatingPointError
            The loss stopped being finite.
        RuntimeError
            This process was forked after torch had run, where torch would hang.
        """
        check_fork()
        with unchanged_on_error(self):
            fitted = self._fit(X, y, sample_weight, X_val, y_val, groups)
            free_memory(torch.device(fitted["device_"]))
            for name, value in fitted.items():
                setattr(self, name, value)
        return self

    def _fit(
        self, X: Any, y: Any, sample_weight: ArrayLike | None, X_val: Any, y_val: Any, groups: ArrayLike | None
    ) -> dict[str, Any]:
        """Everything fit learns, by attribute name."""
        check_functionals(self.functionals)
        if (X_val is None) != (y_val is None):
            raise ValueError("Got one of X_val and y_val only; give both or neither.")
        if X_val is not None and y is None:
            raise ValueError("Got X_val and y_val but no y: without it nothing is trained that they could score.")
        starts = check_starts(self.compression_search)
        device = resolve_device(self.device)
        seeds = check_random_state(self.random_state).randint(2**31, size=2)
        rng = np.random.default_rng(int(seeds[0]))
        generator = torch.Generator().manual_seed(int(seeds[1]))
        clips, _ = self._check_clips(X, reset=True)
        labels = None if y is None else as_targets_array(y, len(clips))
        targets = None if labels is None else make_targets(labels, self.class_weight)
        weights = check_weights(sample_weight, len(clips))
        members = check_groups(groups, len(clips))
        frontend = self._make_frontend(generator)
        check_floor(frontend, self.floor, scaled=RECIPES[self.recipe].tuned)
        initial = {
            "initial_center_frequencies_": frontend.center_frequencies(),
            "initial_bandwidths_": frontend.bandwidths(),
        }
        learnable = any(parameter.requires_grad for parameter in frontend.parameters())
        trained = targets if learnable or self.output == "embedding" else None
        notes: dict[str, Any] = {"step": 0, "start": "the reference's"}
        train, held_out, places = self._split(clips, trained, weights, members, X_val, y_val, notes, int(seeds[0]))
        energies = None
        if RECIPES[self.recipe].tuned:
            energies = measure_energies(frontend, train.clips, device, order=rng.permutation(len(train.clips)))
            notes |= start_frontend(
                frontend,
                energies,
                targets,
                None if targets is None else targets.values[places],
                None if members is None else members[places],
                floor=self.floor,
                starts=starts,
                rng=rng,
            )
        fitted: dict[str, Any] = {
            **initial,
            "classes_": None if targets is None else targets.classes,
            "n_parameters_": sum(p.numel() for p in frontend.parameters() if p.requires_grad),
            "task_": None if targets is None else targets.kind,
            "device_": str(device),
            "training_data_hash_": hash_data(clips, labels),
            "_history": [notes],
            "n_iter_": 0,
            "best_step_": 0,
        }
        sizes = [] if trained is None else round_sizes(self.max_steps)
        root = self._init_callback_context(max_subtasks=len(sizes))
        root.call_on_fit_task_begin(estimator=self, X=X, y=y)
        network = Network(frontend, None, 0, statistics=False)
        if trained is not None:
            trial = None if energies is None else Trial(frontend, trained, train, held_out, energies, device)
            if trial is not None:
                train, held_out = trial.train, trial.held_out
            prepare = partial(
                self._training,
                targets=trained,
                train=train,
                held_out=held_out,
                device=device,
                rng=rng,
                generator=generator,
            )
            training = prepare(frontend)
            self._take_rounds(training, sizes, fitted, root, X, y)
            network = training.finish()
            fitted |= {"n_iter_": training.step, "best_step_": training.best_step}
            if trial is not None and learnable:
                notes |= trial.judge(network.frontend)
                if notes["kept"] == "start":
                    # the encoder must learn again, for the features as they now stay
                    again = prepare(trial.start)
                    again.run(training.step)
                    network = again.finish()
                    fitted["best_step_"] = 0
        fitted["_network"] = network.requires_grad_(False).eval()
        root.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=fitted)
        return fitted

    def _training(
        self,
        frontend: Frontend,
        *,
        targets: Targets,
        train: Labelled,
        held_out: Labelled | None,
        device: torch.device,
        rng: np.random.Generator,
        generator: torch.Generator,
    ) -> Training:
        """Put an encoder on the frontend, ready for its steps."""
        statistics = RECIPES[self.recipe].tuned
        network = Network(frontend, self.encoder, targets.n_outputs, statistics=statistics, generator=generator)
        return Training(
            network,
            targets,
            train,
            held_out,
            recipe=self.recipe,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            crop_ms=self.crop_ms,
            max_steps=self.max_steps,
            device=device,
            rng=rng,
        )

    def _take_rounds(
        self, training: Training, sizes: list[int], fitted: dict[str, Any], root: CallbackContext, X: Any, y: Any
    ) -> None:
        """Train round by round, tell the history and the callbacks, and stop where one of these asks for it."""
        history = fitted["_history"]
        for size in sizes:
            task = root.subcontext(task_name="steps").call_on_fit_task_begin(estimator=self, X=X, y=y)
            history.append(training.run(size))
            if self.verbose:
                sys.stdout.write(describe(history[-1], self.max_steps) + "\n")
            now = {**fitted, "n_iter_": training.step, "best_step_": training.best_step}
            if task.call_on_fit_task_end(
                estimator=self,
                X=X,
                y=y,
                reconstruction_attributes=lambda now=now: {**now, "_network": training.snapshot()},
            ):
                return

    def _make_frontend(self, generator: torch.Generator) -> Frontend:
        return make_frontend(
            self.frontend,
            sample_rate=self.sample_rate,
            n_filters=self.n_filters,
            window_ms=self.window_ms,
            hop_ms=self.hop_ms,
            fmin=self.fmin,
            fmax=self.fmax,
            init=self.init,
            pooling=self.pooling,
            compression=self.compression,
            algorithm=self.algorithm,
            generator=generator,
        )

    def _split(
        self,
        clips: Clips,
        targets: Targets | None,
        weights: NDArray[np.float32] | None,
        groups: NDArray[Any] | None,
        X_val: Any,
        y_val: Any,
        notes: dict[str, Any],
        seed: int,
    ) -> tuple[Labelled, Labelled | None, NDArray[np.intp]]:
        """Training clips, those that judge it (given ones, or some held out), and the places of the former in X."""
        everything = np.arange(len(clips))
        if targets is None:
            return Labelled(clips, everything), None, everything
        if X_val is not None:
            val_clips, _ = self._check_clips(X_val, reset=False)
            values = targets.encode(as_targets_array(y_val, len(val_clips), "y_val"))
            return Labelled(clips, targets.values, weights), Labelled(val_clips, values), everything
        train, held_out, why_none = hold_out(targets, groups, self.validation_fraction, seed)
        if why_none:
            notes["validation"] = f"none: {why_none}"
        if weights is not None and not weights[train].any():
            raise ValueError(
                f"The sample weights of all {len(train)} clips that would train are zero, the others were held out; "
                "set validation_fraction=None."
            )
        part = Labelled(clips.take(train), targets.values[train], None if weights is None else weights[train])
        kept = None if held_out is None else Labelled(clips.take(held_out), targets.values[held_out])
        return part, kept, train

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
