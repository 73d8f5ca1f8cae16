"""Signals of the body: heartbeats of an electrocardiogram, read, described, drawn, disturbed."""
