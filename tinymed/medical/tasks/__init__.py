"""Applications: one file each, found by the command line through `task.TASKS`."""
