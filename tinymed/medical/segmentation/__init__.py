"""Outlines of what lies at the centre of planes and volumes."""

from tinymed.medical.segmentation.ball import Ball, fitted_ball
from tinymed.medical.segmentation.losses import OutlineLoss, signed_distance
from tinymed.medical.segmentation.views import from_centre, views

__all__ = ["Ball", "OutlineLoss", "fitted_ball", "from_centre", "signed_distance", "views"]
