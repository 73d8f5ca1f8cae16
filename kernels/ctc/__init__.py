"""Connectionist temporal classification: the probability of a labelling, over all alignments.

T steps, N sequences, C classes, S labels at most. Labels past a sequence's own are not looked at;
alpha is -inf past its steps and its states.

``forward(log_probs, targets, input_lengths, target_lengths, blank)`` -> -log p(targets) (N,) and
what ``grad`` needs of it, alpha (T, N, 2S+1); log_probs (T, N, C), targets (N, S), lengths (N,)
``grad(grad_output, log_probs, targets, input_lengths, target_lengths, blank, losses, alpha)`` ->
(exp(log_probs) - occupancy) * grad_output, (T, N, C)
"""

from tinymed.kernels.registry import kernel

forward = kernel(__name__, "forward", "reference", "numba_cpu", "cuda")
grad = kernel(__name__, "grad", "reference", "numba_cpu", "cuda")
