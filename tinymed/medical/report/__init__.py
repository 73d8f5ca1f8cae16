"""What is written about a model: pictures (PNG) and the model card (Markdown)."""

from tinymed.medical.report.model_card import model_card, write_model_card
from tinymed.medical.report.pictures import (
    draw_confusion_matrix,
    draw_montage,
    draw_precision_recall,
    draw_reliability,
    draw_roc,
    draw_training,
)

__all__ = [
    "draw_confusion_matrix",
    "draw_montage",
    "draw_precision_recall",
    "draw_reliability",
    "draw_roc",
    "draw_training",
    "model_card",
    "write_model_card",
]
