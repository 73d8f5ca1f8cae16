"""Recurrent layers in one launch on the whole GPU: all blocks wait for each other at each step.

See resident.cu; `resident` chooses the blocks.
"""

from __future__ import annotations

from tinymed.kernels.recurrent.resident import Resident, plan_of_grid

__all__ = ["gru_backward", "gru_forward", "lstm_backward", "lstm_forward", "rnn_backward",
           "rnn_forward"]  # fmt: skip

LAYERS = Resident("grid", plan_of_grid)

rnn_forward, rnn_backward = LAYERS.rnn_forward, LAYERS.rnn_backward
lstm_forward, lstm_backward = LAYERS.lstm_forward, LAYERS.lstm_backward
gru_forward, gru_backward = LAYERS.gru_forward, LAYERS.gru_backward
