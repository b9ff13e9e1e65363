"""Encoders by name, or from a user's own callable."""

import copy
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ._cnn import CNN
from ._cnn14 import CNN14
from ._efficientnet import EfficientNetB0
from ._layers import init_weights

# torch's own generator is shared by all threads: one at a time may seed it; an encoder may hold another
_SEEDED = threading.RLock()


@contextmanager
def seeded(generator: torch.Generator | None) -> Iterator[None]:
    """Let code that draws from torch's own generator draw what ``generator`` decides, and leave no trace of it."""
    if generator is None:
        yield
        return
    seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    cuda = [generator.device] if generator.device.type == "cuda" else []
    with _SEEDED, torch.random.fork_rng(devices=cuda):
        torch.random.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.manual_seed(seed)
        yield


class Encoder(nn.Module):
    """A network of the (B, F, T) -> (B, E) face, called as ``encoder(features, n_frames)``.

    One that does not take the frames of each clip needs batches of clips of one length. Dropout layers of others
    draw what ``generator`` decides, which is set by whoever trains.
    """

    def __init__(self, network: nn.Module, n_outputs: int, *, takes_lengths: bool) -> None:
        super().__init__()
        self.network, self.n_outputs, self.takes_lengths = network, n_outputs, takes_lengths
        self.generator: torch.Generator | None = None

    def forward(self, features: Tensor, n_frames: Tensor) -> Tensor:
        """One vector a clip: (B, F, T), (B,) -> (B, E)."""
        if type(self.network) is not CNN:  # which takes them on the CPU, where it can see that no clip is padded
            n_frames = n_frames.to(features.device)
        with seeded(self.generator if self.training else None):
            return self.network(features, n_frames) if self.takes_lengths else self.network(features)


ENCODERS: dict[str, Callable[[int], nn.Module]] = {
    "cnn": CNN,
    "cnn14": CNN14,
    "efficientnet_b0": EfficientNetB0,
}


def make_encoder(
    encoder: str | Callable[[int], nn.Module], *, n_filters: int, generator: torch.Generator | None = None
) -> Encoder:
    """Build an encoder for ``n_filters`` channels.

    Parameters
    ----------
    encoder : str or callable
        A key of ``ENCODERS``, or a callable that takes the number of channels and returns an nn.Module from
        (B, F, T) to (B, E). A module whose ``forward`` takes a second argument is given the number of valid
        frames of each clip, (B,).
    n_filters : int
        Channels F of the features.
    generator : torch.Generator, optional
        Source of the initial weights of the encoders of this package, and of the seed under which a callable runs; None
        always gives the same.

    Returns
    -------
    Encoder
        With ``n_outputs``, the length E of its output.

    Raises
    ------
    ValueError
        For an unknown name, or an output that is not of shape (B, E).
    TypeError
        Where the callable returns no nn.Module.
    ImportError
        For "efficientnet_b0" without MONAI.
    """
    build = ENCODERS.get(encoder) if isinstance(encoder, str) else encoder
    if build is None or not callable(build):
        raise ValueError(f"Got encoder={encoder!r}, expected one of {['linear', *ENCODERS]} or a callable.")
    if generator is None:
        generator = torch.Generator().manual_seed(0)
    with seeded(generator):
        # a copy: the callable may give the same module each time
        network = copy.deepcopy(build(n_filters))
        if not isinstance(network, nn.Module):
            raise TypeError(f"encoder={encoder!r} returned {type(network).__name__}, expected a torch.nn.Module.")
        parameters = inspect.signature(network.forward).parameters.values()
        takes_lengths = sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters) > 1
        # lazy layers draw their weights in the first pass
        n_outputs = _count_outputs(network, n_filters, takes_lengths=takes_lengths)
    if isinstance(encoder, str):
        init_weights(network, generator)
    return Encoder(network, n_outputs, takes_lengths=takes_lengths)


def _count_outputs(network: nn.Module, n_filters: int, *, takes_lengths: bool, n_frames: int = 64) -> int:
    """Length of the network's output, by a pass over zeros."""
    known = getattr(network, "n_outputs", None)
    if known is not None:
        return int(known)
    features = torch.zeros(2, n_filters, n_frames)
    lengths = (torch.full((2,), n_frames),) if takes_lengths else ()
    was_training = network.training
    with torch.no_grad():
        output = network.eval()(features, *lengths)
    network.train(was_training)
    if output.ndim != 2 or len(output) != 2:
        raise ValueError(
            f"The encoder maps (2, {n_filters}, {n_frames}) features to {tuple(output.shape)}, expected (2, E)."
        )
    return int(output.shape[1])
