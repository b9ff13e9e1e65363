"""A frozen frontend as a CUDA graph: one launch for a batch instead of one for each of its hundred kernels."""

import copy

import torch
from torch import Tensor

from .base import Frontend

WARM_UP_RUNS = 3


class CapturedFrontend:
    """A frontend's forward pass for batches of one shape, captured in a CUDA graph and replayed at each call.

    It pays for many small batches, such as the windows of a stream, where launching kernels takes longer than running
    them. `LeafTransformer.transform` needs none: on a GPU its batches are long enough.

    Parameters
    ----------
    frontend : Frontend
        Copied as it is now, and frozen: later changes to it have no effect.
    n_clips : int
        Clips in every batch.
    n_times : int
        Samples in every clip, padding included.
    device : str, default="cuda"
        A CUDA device.

    Raises
    ------
    ValueError
        The device is no CUDA device, or not there.

    Examples
    --------
    >>> from leaf_sklearn.frontends import CapturedFrontend, make_frontend
    >>> captured = CapturedFrontend(make_frontend("leaf"), 8, 16000)  # doctest: +SKIP
    >>> captured(waveforms).shape  # doctest: +SKIP
    torch.Size([8, 40, 100])
    """

    def __init__(self, frontend: Frontend, n_clips: int, n_times: int, *, device: str = "cuda") -> None:
        place = torch.device(device)
        if place.type != "cuda" or not torch.cuda.is_available():
            raise ValueError(
                f"Got device={device!r}, expected a CUDA device that is there: others have no CUDA graphs."
            )
        self._frontend = copy.deepcopy(frontend).to(place).eval().requires_grad_(False)
        self._frontend.filterbank.hold(self._frontend.pooling)
        self._waveforms = torch.zeros(n_clips, n_times, device=place)
        self._lengths = torch.full((n_clips,), n_times, device=place)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(place), torch.no_grad():
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                # FFT plans and constants of this shape are made here: within a graph nothing may come from the host.
                for _ in range(WARM_UP_RUNS):
                    self._frontend(self._waveforms, self._lengths)
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(self._graph, stream=stream):
                self._features = self._frontend(self._waveforms, self._lengths)

    def __call__(self, waveforms: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Features of a batch: (n_clips, n_times) and (n_clips,) -> (n_clips, F, T).

        Parameters
        ----------
        waveforms : Tensor of shape (n_clips, n_times)
            Row i holds a clip in [0, lengths[i]), on any device.
        lengths : Tensor of shape (n_clips,), int64, optional
            Clip lengths in samples, None for n_times everywhere.

        Returns
        -------
        Tensor of shape (n_clips, F, T)
            On the graph's device; the caller's own.

        Raises
        ------
        ValueError
            The shapes are not those of the graph.
        """
        if waveforms.shape != self._waveforms.shape:
            raise ValueError(f"Got waveforms {tuple(waveforms.shape)}, expected {tuple(self._waveforms.shape)}.")
        if lengths is None:
            self._lengths.fill_(waveforms.shape[1])
        elif lengths.shape == self._lengths.shape:
            self._lengths.copy_(lengths)
        else:
            raise ValueError(f"Got lengths {tuple(lengths.shape)}, expected {tuple(self._lengths.shape)}.")
        self._waveforms.copy_(waveforms)
        self._graph.replay()
        return self._features.clone()
