"""Module: parameters, buffers and modules found by attribute, as in PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from tinymed.anomaly import LAYERS
from tinymed.backpropagation import Handle
from tinymed.grad_mode import no_grad
from tinymed.kernels.arrays import array_module
from tinymed.precision import kind_of
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor, names_device, targets_of

__all__ = ["Module", "Parameter"]


class Parameter(Tensor):
    """A Tensor that a Module owns and an optimizer changes."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data.data if isinstance(data, Tensor) else data, requires_grad)


class Loaded(NamedTuple):
    """What `Module.load_state_dict` left out, which ``strict`` does not allow."""

    missing_keys: list[str]  # of the module, not in the state
    unexpected_keys: list[str]  # in the state, not of the module


class Module:
    """A part of a network: subclasses set parameters and modules as attributes and write `forward`.

    Examples
    --------
    >>> import tinymed as tm
    >>> class Scale(tm.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = tm.nn.Parameter(tm.ones(1))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """

    training: bool

    def __init__(self) -> None:
        fields = self.__dict__
        fields["_parameters"], fields["_buffers"], fields["_modules"] = {}, {}, {}
        fields["_transient"] = set()  # names of buffers that state_dict leaves out
        fields["_forward_hooks"], fields["_forward_pre_hooks"] = {}, {}
        fields["training"] = True

    # ---------------------------------------------------------------------------- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        self._check_started(name)
        homes = (self._parameters, self._buffers, self._modules)
        if isinstance(value, (Parameter, Module)):
            home: dict[str, Any] = homes[0] if isinstance(value, Parameter) else homes[2]
            if name not in home:  # one that is replaced keeps its place in the order
                self._forget(name)
                self.__dict__.pop(name, None)
            home[name] = value
            return
        for home in homes:
            if name in home:
                if value is not None and not (home is self._buffers and isinstance(value, Tensor)):
                    raise TypeError(
                        f"{type(self).__name__}.{name}: cannot put {type(value).__name__} where "
                        "another kind is registered; make an nn.Parameter of it, or delete it first"
                    )
                home[name] = value
                return
        self.__dict__[name] = value

    def __getattr__(self, name: str) -> Any:
        for home in ("_parameters", "_buffers", "_modules"):
            found = self.__dict__.get(home, {})
            if name in found:
                return found[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        if not self._forget(name):
            super().__delattr__(name)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Add a parameter; None reserves the name (a layer without bias)."""
        self._register("_parameters", name, parameter, Parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is saved and moved with the module but not trained."""
        self._register("_buffers", name, tensor, Tensor)
        (self._transient.discard if persistent else self._transient.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a module under a name that need not be a Python identifier."""
        self._register("_modules", name, module, Module)

    def _register(self, home: str, name: str, value: Any, kind: type) -> None:
        """Put ``value`` where its kind lives, unless the name says or already is something else."""
        self._check_started(name)
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"{type(self).__name__}: {name!r} is not a name without dots")
        if name not in self.__dict__[home] and hasattr(self, name):
            raise KeyError(f"{type(self).__name__}: the name {name!r} is taken")
        if value is not None and not isinstance(value, kind):
            raise TypeError(
                f"{type(self).__name__}.{name}: {type(value).__name__} is not a {kind.__name__}"
            )
        self.__dict__[home][name] = value

    def _check_started(self, name: str) -> None:
        if "_modules" not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() before setting {name}"
            )

    def _forget(self, name: str) -> bool:
        """Take a name out of parameters, buffers and modules; tell whether it was there."""
        self._transient.discard(name)
        missing = object()
        homes = (self._parameters, self._buffers, self._modules)
        return any(home.pop(name, missing) is not missing for home in homes)

    # -------------------------------------------------------------------------------- running

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Compute the output. Subclasses write it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Run the hooks and `forward`; an error says which layer it happened in."""
        LAYERS.running.append(self)
        try:
            for pre_hook in tuple(self._forward_pre_hooks.values()):
                replaced = pre_hook(self, inputs)
                if replaced is not None:
                    inputs = replaced if isinstance(replaced, tuple) else (replaced,)
            output = self.forward(*inputs, **named)
            for hook in tuple(self._forward_hooks.values()):
                replaced = hook(self, inputs, output)
                output = output if replaced is None else replaced
            return output
        except Exception as error:
            if not any(note.startswith("in layer ") for note in getattr(error, "__notes__", ())):
                path, kind = LAYERS.path(), type(self).__name__
                error.add_note(f"in layer {path} ({kind})" if path else f"in layer {kind}")
            raise
        finally:
            LAYERS.running.pop()

    def register_forward_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(module, inputs, output)`` after `forward`; it may return another output.

        Returns what removes the hook, by ``remove()``.
        """
        return _register(self._forward_hooks, hook)

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(module, inputs)`` before `forward`; it may return other inputs.

        Returns what removes the hook, by ``remove()``.
        """
        return _register(self._forward_pre_hooks, hook)

    # ----------------------------------------------------------------------------- looking in

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield (path, module) for this module and all below it, each once."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            stack += [
                (f"{path}.{name}" if path else name, child)
                for name, child in reversed(module._modules.items())
                if child is not None
            ]

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) for the modules directly below."""
        return ((name, child) for name, child in self._modules.items() if child is not None)

    def children(self) -> Iterator[Module]:
        """Yield the modules directly below."""
        return (child for _, child in self.named_children())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Yield (path, parameter), each parameter once."""
        return self._named("_parameters", prefix)

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Yield (path, buffer), each buffer once."""
        return self._named("_buffers", prefix)

    def buffers(self) -> Iterator[Tensor]:
        """Yield the buffers."""
        return (buffer for _, buffer in self.named_buffers())

    def _named(self, home: str, prefix: str) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for path, module in self.named_modules(prefix):
            for name, tensor in module.__dict__[home].items():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield f"{path}.{name}" if path else name, tensor

    # ----------------------------------------------------------------------------- changing it

    def train(self, mode: bool = True) -> Module:
        """Switch dropout and batch statistics on (or off), here and below."""
        for module in self.modules():
            module.__dict__["training"] = mode
        return self

    def eval(self) -> Module:
        """Switch dropout and batch statistics off, here and below."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Train the parameters, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = Tensor(array_module(parameter.data).zeros_like(parameter.data))

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call ``function`` on every module, the innermost first."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def to(self, *targets: Any, device: str | None = None, dtype: Any = None) -> Module:
        """Move parameters and buffers, in place, to a device and/or a floating dtype."""
        targets = tuple(targets_of(targets, device, dtype))
        if not Tensor(np.zeros(0)).to(*targets).is_floating_point():
            raise TypeError(f"to: {targets} holds a dtype that is not floating")
        with no_grad():
            for tensor in itertools.chain(self.parameters(), self.buffers()):
                tensor.data = _moved(tensor, targets)
                if isinstance(tensor.grad, RowGradient):
                    tensor.grad = Tensor(tensor.grad.to_dense())
                if tensor.grad is not None:
                    tensor.grad = Tensor(_moved(tensor.grad, targets))
        return self

    def cpu(self) -> Module:
        """Move parameters and buffers to host memory."""
        return self.to("cpu")

    def cuda(self, device: str = "cuda") -> Module:
        """Move parameters and buffers to a GPU."""
        return self.to(device)

    def half(self) -> Module:
        """Turn floating parameters and buffers into float16."""
        return self.to(np.float16)

    def bfloat16(self) -> Module:
        """Turn floating parameters and buffers into bfloat16, which needs ml_dtypes."""
        return self.to("bfloat16")

    def float(self) -> Module:
        """Turn floating parameters and buffers into float32."""
        return self.to(np.float32)

    def double(self) -> Module:
        """Turn floating parameters and buffers into float64."""
        return self.to(np.float64)

    # ----------------------------------------------------------------------------- saving it

    def state_dict(self) -> dict[str, Tensor]:
        """Return path -> parameter or persistent buffer, detached, on the same memory."""
        state: dict[str, Tensor] = {}
        for path, module in self._all_modules(""):
            for name, tensor in (*module._parameters.items(), *module._buffers.items()):
                if tensor is not None and name not in module._transient:
                    state[f"{path}.{name}" if path else name] = tensor.detach()
        return state

    def _all_modules(self, prefix: str) -> Iterator[tuple[str, Module]]:
        """Yield every path to a module: one that is shared under each of its names."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child._all_modules(f"{prefix}.{name}" if prefix else name)

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Loaded:
        """Copy ``state`` (path -> Tensor or array) into the parameters and buffers.

        Nothing is written unless everything fits. Returns the keys that were left out, none if
        ``strict``.

        Raises
        ------
        RuntimeError
            If a shape differs, a floating tensor meets an integer one, or, when ``strict``, keys
            are missing or unexpected; the message lists all of them.
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"load_state_dict: {type(state).__name__} is not a dict of tensors; "
                "tinymed.load(path) makes one of a file"
            )
        own = self.state_dict()
        missing = [key for key in own if key not in state]
        unexpected = [key for key in state if key not in own]
        arrays = {key: _array(state[key]) for key in own if key in state}
        problems = [f"{key} is missing" for key in missing] if strict else []
        problems += [f"{key} is unexpected" for key in unexpected] if strict else []
        for key, array in arrays.items():
            given, wanted = (array.shape, array.dtype), (own[key].shape, own[key].dtype)
            kinds = {kind_of(dtype) == "f" for _, dtype in (given, wanted)}
            if given[0] != wanted[0] or len(kinds) > 1:
                problems.append(f"{key} is {given[0]} {given[1]}, expected {wanted[0]} {wanted[1]}")
        if problems:
            raise RuntimeError(
                f"load_state_dict: the state does not fit {type(self).__name__}: "
                + "; ".join(problems)
            )
        with no_grad():
            for key, array in arrays.items():
                own[key].copy_(array)
        return Loaded(missing, unexpected)

    # ----------------------------------------------------------------------------- showing it

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return ""

    def __repr__(self) -> str:
        lines = [
            f"  ({name}): " + repr(child).replace("\n", "\n  ")
            for name, child in self.named_children()
        ]
        name, extra = type(self).__name__, self.extra_repr()
        if not lines:
            return f"{name}({extra})"
        return "\n".join([f"{name}({extra}", *lines, ")"])


def check_sizes(name: str, **sizes: Any) -> None:
    """Raise unless every size is a positive integer."""
    for argument, size in sizes.items():
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(f"{name}: {argument}={size!r} is not a positive integer")


_HOOK_NUMBERS = itertools.count()


def _register(hooks: dict[int, Any], hook: Callable[..., Any]) -> Handle:
    """Add a hook and return what removes it."""
    number = next(_HOOK_NUMBERS)
    hooks[number] = hook
    return Handle(lambda: hooks.pop(number, None))


def _moved(tensor: Tensor, targets: tuple[Any, ...]) -> Any:
    """Return the array on another device or in another dtype; integer buffers keep their dtype."""
    wanted = [t for t in targets if names_device(t) or tensor.is_floating_point()]
    return tensor.detach().to(*wanted).data


def _array(value: Any) -> Any:
    """Return the array of a Tensor, or a NumPy array of anything else."""
    return value.data if isinstance(value, Tensor) else np.asarray(value)
