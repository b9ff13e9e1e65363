"""EfficientNet-B0 on features as a one-channel image, the paper's encoder for its eight tasks."""

from torch import Tensor, nn
from torch.nn import functional

SMALLEST = 32  # channels and frames that five halvings leave something of; fewer are padded with zeros


class EfficientNetB0(nn.Module):
    """MONAI's EfficientNetBN up to its pooled feature maps: (B, F, T) -> (B, 1280).

    Raises
    ------
    ImportError
        Where MONAI (the extra ``encoders``) is missing.
    """

    n_outputs = 1280

    def __init__(self, n_filters: int) -> None:
        super().__init__()
        try:
            from monai.networks.nets import EfficientNetBN
        except ImportError as error:
            raise ImportError("encoder='efficientnet_b0' needs MONAI: pip install 'leaf-sklearn[encoders]'") from error
        self.network = EfficientNetBN("efficientnet-b0", pretrained=False, spatial_dims=2, in_channels=1)
        self.network._fc = nn.Identity()  # type: ignore[assignment]  # the heads are this package's own

    def forward(self, features: Tensor) -> Tensor:
        """One vector a clip; the clips of a batch have equal lengths."""
        padding = [max(0, SMALLEST - size) for size in (features.shape[2], features.shape[1])]
        return self.network(functional.pad(features[:, None], (0, padding[0], 0, padding[1])))
