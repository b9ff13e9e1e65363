"""Fitted estimators as files without code: a safetensors file whose header holds JSON."""

import hashlib
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import scipy
import sklearn
import torch
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ._files import check_writable_place, replacing
from ._saved_values import from_json, to_json

Arrays = dict[str, NDArray[np.generic]]

FORMAT = "leaf-sklearn"
FORMAT_VERSION = 1
"""Raised when an older package can no longer read what this one writes; every older version stays readable."""

UNSIGNED = "0" * 64
"""Stands in the place of the checksum while that is computed."""

NOT_SAVED = ("_skl_callbacks", "_callback_fit_ctx", "_parent_callback_ctx", "_metadata_request")
"""What belongs to one session: callbacks; and metadata requests, which are stored in a form of their own."""


class ModelFileError(ValueError):
    """A model file that cannot be read; the message names it and says what came and what was expected."""


class Saved(BaseEstimator):
    """An estimator with ``save`` and ``load``."""

    _classes: ClassVar[dict[str, type["Saved"]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Saved._classes[_name_of(cls)] = cls

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator as a safetensors file: weights as tensors, all else as JSON in its header.

        Loading such a file runs no code. A file that is there is replaced when the new one is whole.

        Parameters
        ----------
        path : str or path-like
            The file to write, by custom with the ending .safetensors.

        Raises
        ------
        TypeError
            A parameter cannot be stored without code, such as a callable ``encoder``.
        ImportError
            safetensors is missing; the message names the extra.
        """
        check_is_fitted(self)
        place = check_writable_place(path)
        content = model_to_bytes(self)
        with replacing(place) as temporary, temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an estimator of this class that ``save`` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        estimator
            As it was saved, on a machine with or without CUDA.

        Raises
        ------
        ValueError
            The file is damaged, cut short, of another kind, of a newer format, or holds another class.
        """
        model = load_model(path)
        if not isinstance(model, cls):
            raise ModelFileError(f"{os.fspath(path)!r} holds a {type(model).__name__}, expected a {cls.__name__}.")
        return model


def load_model(path: str | os.PathLike[str]) -> Any:
    """Read an estimator that its ``save`` wrote, whatever its class; no code is run.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    LeafTransformer, MelTransformer or LeafClassifier
        As it was saved, on a machine with or without CUDA.

    Raises
    ------
    ValueError
        The file is damaged, cut short, of another kind or of a newer format.
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise FileNotFoundError(f"There is no model file {name!r}.")
    document, arrays = _read(name)
    try:
        return _Reader(arrays).estimator(document["estimator"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:  # RecursionError is one
        raise ModelFileError(f"{name!r} is no model of this version ({type(error).__name__}: {error}).") from error


def model_to_bytes(model: Saved) -> bytes:
    """Return the content of a model file, equal for equal models and versions."""
    save = writer_of_tensors()
    writer = _Writer()
    document: dict[str, Any] = {
        "version": FORMAT_VERSION,
        "written_by": _versions(),
        "sha256": "",
        "estimator": writer.estimator(model, ""),
    }
    # a second key would make the order of the two random, and equal models unequal files
    return save(writer.arrays, metadata={FORMAT: _signed(document, writer.arrays)})


def writer_of_tensors() -> Callable[..., bytes]:
    """Return what writes a model file; ImportError names the extra, for those who ask before the work."""
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise ImportError("Saving models needs safetensors: pip install 'leaf-sklearn[persist]'.") from error
    return save


class _Writer:
    """Collects the weights under the names that the JSON refers to."""

    def __init__(self) -> None:
        self.arrays: Arrays = {}

    def estimator(self, model: Saved, where: str) -> dict[str, Any]:
        state: dict[str, Any] = model.__getstate__()  # type: ignore[assignment]
        names = list(model.get_params(deep=False))
        fitted = {name: value for name, value in state.items() if name not in (*names, *NOT_SAVED)}
        if "_network" in fitted:
            network: dict[str, Any] = dict(fitted["_network"])
            prefix = f"{where}network/"
            self.arrays |= {prefix + name: np.ascontiguousarray(value) for name, value in network["arrays"].items()}
            fitted["_network"] = {**network, "arrays": prefix}
        return {
            "class": _name_of(type(model)),
            "params": self._values({name: getattr(model, name) for name in names}, where),
            "fitted": self._values(fitted, where),
            "requests": _requests(model),
        }

    def _values(self, values: dict[str, Any], where: str) -> dict[str, Any]:
        return {name: to_json(value, where + name, self._other) for name, value in values.items()}

    def _other(self, value: Any, where: str) -> Any:
        if isinstance(value, Saved):
            return {"$estimator": self.estimator(value, f"{where}/")}
        raise TypeError(
            f"{where} is {value!r}, which cannot be stored without code; expected numbers, strings, lists, dicts and "
            "arrays. Use joblib.dump."
        )


class _Reader:
    """Builds estimators of the classes that are known here, and nothing else."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays

    def estimator(self, document: dict[str, Any]) -> Saved:
        name = document["class"]
        if name not in Saved._classes:
            raise ValueError(f"class {name!r} is unknown, expected one of {sorted(Saved._classes)}")
        model = Saved._classes[name](**from_json(document["params"], self._other))
        fitted = from_json(document["fitted"], self._other)
        if "_network" in fitted:
            prefix = fitted["_network"]["arrays"]
            arrays = {name.removeprefix(prefix): self.arrays[name] for name in self.arrays if name.startswith(prefix)}
            fitted["_network"] = {**fitted["_network"], "arrays": arrays}
        model.__setstate__({**vars(model), **fitted})
        with config_context(enable_metadata_routing=True):
            for method, requests in document["requests"].items():
                getattr(model, f"set_{method}_request")(**requests)
        return model

    def _other(self, kind: str, value: Any) -> Any:
        if kind == "$estimator":
            return self.estimator(value[kind])
        raise ValueError(f"{kind!r} is no kind of value")


def _read(name: str) -> tuple[dict[str, Any], Arrays]:
    """Document and weights of a file, both checked to be as they were written."""
    expected = "expected a file written by save"
    with Path(name).open("rb") as file:
        start = file.read(16)
    if start[:2] in (b"PK", b"\x80\x04", b"\x80\x05"):
        raise ModelFileError(f"{name!r} is a pickle or skops file, {expected}; see joblib.load and skops.io.load.")
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ImportError("Loading models needs safetensors: pip install 'leaf-sklearn[persist]'.") from error
    try:
        with safe_open(name, framework="numpy") as stored:
            metadata = stored.metadata() or {}
            arrays = {key: stored.get_tensor(key) for key in stored.keys()}
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ModelFileError(f"{name!r} is cut short, damaged or no model file ({error}); {expected}.") from error
    if FORMAT not in metadata:
        raise ModelFileError(f"{name!r} holds tensors of something else, {expected}.")
    try:
        document = json.loads(metadata[FORMAT])
        version, written_by = document["version"], document["written_by"]["leaf_sklearn"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{name!r} is damaged: its header cannot be read ({error}); {expected}.") from error
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ModelFileError(
            f"{name!r} has format {version!r}, written by leaf-sklearn {written_by}; this version reads formats up to "
            f"{FORMAT_VERSION}. Upgrade leaf-sklearn."
        )
    signature = str(document.get("sha256"))
    if signature != _digest(metadata[FORMAT].replace(signature, UNSIGNED, 1), arrays):
        raise ModelFileError(f"{name!r} is damaged: its contents do not match their checksum; {expected}.")
    return document, arrays


def _signed(document: dict[str, Any], arrays: Arrays) -> str:
    """Document as JSON, the digest of all (with zeros in its own place) put in."""
    text = json.dumps({**document, "sha256": UNSIGNED}, allow_nan=False)
    return text.replace(UNSIGNED, _digest(text, arrays), 1)


def _digest(text: str, arrays: Arrays) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _name_of(cls: type[Saved]) -> str:
    """Name a class of this package by its name alone, so that modules may move, any other in full."""
    own = cls.__module__.partition(".")[0] == "leaf_sklearn"
    return cls.__qualname__ if own else f"{cls.__module__}.{cls.__qualname__}"


def _requests(model: Saved) -> dict[str, dict[str, Any]]:
    """Metadata that the user asked for by ``set_fit_request`` and its like, by method."""
    methods = vars(model).get("_metadata_request")
    kept = {} if methods is None else vars(methods)
    asked = {
        name: {key: value for key, value in each.requests.items() if value is not None}
        for name, each in kept.items()
        if hasattr(each, "requests")
    }
    return {name: requests for name, requests in asked.items() if requests}


def _versions() -> dict[str, str]:
    from . import __version__

    return {
        "leaf_sklearn": __version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
    }
