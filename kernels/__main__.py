"""Print the table kernel x backend: available, or why not."""

from tinymed.kernels.registry import table

if __name__ == "__main__":
    for name, backend, state in table():
        print(f"{name:32s} {backend:16s} {state}")
