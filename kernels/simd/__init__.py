"""Vector code for the CPU kernels, written in Python: registers, tiles, loops along rows."""
