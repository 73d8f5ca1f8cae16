"""Medicine: a customer of the engine. Nothing below imports it."""
