"""Limits on gradients, packing in `rnn`, and `fusion`, where PyTorch has them: ``nn.utils``."""

from tinymed.nn.utils import fusion, rnn
from tinymed.optim.clip import clip_grad_norm_, clip_grad_value_, get_total_norm

__all__ = ["clip_grad_norm_", "clip_grad_value_", "fusion", "get_total_norm", "rnn"]
