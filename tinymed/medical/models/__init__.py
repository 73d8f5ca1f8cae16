"""Networks of the applications, by the name that model files use."""

from tinymed import nn
from tinymed.medical.models.nodule_cnn import NoduleCNN

__all__ = ["MODELS", "NoduleCNN"]

MODELS: dict[str, type[nn.Module]] = {"NoduleCNN": NoduleCNN}
