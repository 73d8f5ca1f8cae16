"""`compile`: what the eager step does, at each step; and what cannot be repeated is refused."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

import tinymed as tm
from tinymed import nn, optim
from tinymed.medical.models.nodule_cnn import NoduleCNN
from tinymed.repeated import MOST

pytest.importorskip("numba")

STEPS = 20


class Recurrent(nn.Module):
    """The last output, or the last state, of a recurrent layer, classified."""

    def __init__(self, kind, state=False, **settings):
        super().__init__()
        self.layer = getattr(nn, kind)(5, 8, **settings)
        self.state = state
        self.classifier = nn.Linear(16 if settings.get("bidirectional") else 8, 3)

    def forward(self, x):
        output, state = self.layer(x)
        if self.state:
            return self.classifier((state[0] if isinstance(state, tuple) else state)[-1])
        return self.classifier(output[:, -1] if self.layer.batch_first else output[-1])


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.classifier = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.classifier(x + self.inner(x).relu())


def floats(*shape):
    return lambda rng: rng.standard_normal(shape).astype(np.float32)


def classes(count, *shape):
    return lambda rng: rng.integers(0, count, shape)


def activations():
    layers = nn.Sigmoid(), nn.GELU(), nn.LeakyReLU(), nn.Softplus()  # ReLU is in "residual"
    between = [part for layer in layers for part in (nn.Linear(6, 6), layer)]
    return nn.Sequential(*between, nn.Linear(6, 3, activation="tanh"))


ADAM = {"kind": "Adam", "lr": 1e-2}
THREE = (nn.CrossEntropyLoss, classes(3, 7))
CASES = {
    "activations": (activations, floats(7, 6), *THREE, ADAM),
    "residual": (Residual, floats(7, 6), *THREE, ADAM),
    "embedding": (
        lambda: nn.Sequential(nn.Embedding(20, 6), nn.Flatten(), nn.Linear(18, 3)),
        classes(20, 7, 3),
        *THREE,
        ADAM,
    ),
    "cnn": (
        lambda: NoduleCNN(widths=(8, 8)),  # one channel, then eight: two ways to convolve
        floats(7, 1, 12, 12),
        nn.CrossEntropyLoss,
        classes(2, 7),
        {"kind": "AdamW", "lr": 1e-3},
    ),
    "rnn": (lambda: Recurrent("RNN"), floats(4, 7, 5), *THREE, ADAM),
    "lstm of two layers": (
        lambda: Recurrent("LSTM", state=True, num_layers=2, batch_first=True),
        floats(7, 4, 5),
        *THREE,
        ADAM,
    ),
    "lstm both ways": (
        lambda: Recurrent("LSTM", bidirectional=True, batch_first=True),
        floats(7, 4, 5),
        *THREE,
        ADAM,
    ),
    "gru": (lambda: Recurrent("GRU", batch_first=True), floats(7, 4, 5), *THREE, ADAM),
    "mse": (
        lambda: nn.Linear(6, 2),
        floats(7, 6),
        nn.MSELoss,
        floats(7, 2),
        {"kind": "SGD", "lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 1e-2},
    ),
    "bce": (
        lambda: nn.Linear(6, 1),
        floats(7, 6),
        nn.BCEWithLogitsLoss,
        lambda rng: rng.integers(0, 2, (7, 1)).astype(np.float32),
        {"kind": "RMSprop", "lr": 1e-2},
    ),
    "alpha dropout": (
        lambda: nn.Sequential(nn.Linear(6, 16), nn.SELU(), nn.AlphaDropout(0.3), nn.Linear(16, 2)),
        floats(7, 6),
        nn.MSELoss,
        floats(7, 2),
        {"kind": "SGD", "lr": 0.1},
    ),
    "maximize": (
        lambda: nn.Linear(6, 2),
        floats(7, 6),
        nn.MSELoss,
        floats(7, 2),
        {"kind": "Adam", "lr": 1e-3, "maximize": True},
    ),
}


def training(make, loss_kind, settings):
    """Return a model and its step: with clipping, a schedule, and dropout of its own."""
    tm.manual_seed(0)
    model, settings = make(), dict(settings)
    for module in model.modules():
        if isinstance(module, (nn.Dropout, nn.AlphaDropout)):
            module.generator = np.random.default_rng(1)
    optimizer = getattr(optim, settings.pop("kind"))(model.parameters(), **settings)
    schedule, loss_of = optim.lr_scheduler.StepLR(optimizer, 5), loss_kind()

    def step(x, y):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        schedule.step()
        return loss

    return model, step, optimizer


@pytest.mark.parametrize("name", CASES)
def test_a_compiled_step_does_what_the_step_does(name):
    make, draw_x, loss_kind, draw_y, settings = CASES[name]
    model, step, optimizer = training(make, loss_kind, settings)
    other, plain, plain_optimizer = training(make, loss_kind, settings)
    compiled, rng = tm.compile(step), np.random.default_rng(2)
    for _ in range(STEPS):
        x, y = draw_x(rng), draw_y(rng)
        with tm.use_backend("numba_cpu", "reference"):
            expected = plain(tm.Tensor(x), tm.Tensor(y)).item()
        assert compiled(x, y).item() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    (plan,) = compiled.plans.values()
    assert plan.program is not None
    for key, tensor in other.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[key].data, tensor.data, 1e-4, 1e-5)
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad.data, theirs.grad.data, 1e-4, 1e-5)
    assert optimizer.state.keys() == plain_optimizer.state.keys()
    for number, state in plain_optimizer.state.items():
        assert optimizer.state[number]["step"] == state["step"] == STEPS
        for key, value in state.items():
            np.testing.assert_allclose(optimizer.state[number][key], value, 1e-4, 1e-5)


# ------------------------------------------------------------------------------------ refusals


@pytest.fixture
def small():
    """Return a model, its optimizer, and batches that differ."""
    tm.manual_seed(0)
    model, rng = nn.Linear(3, 2), np.random.default_rng(0)
    return SimpleNamespace(
        model=model,
        optimizer=optim.SGD(model.parameters(), lr=0.1),
        batches=[(floats(4, 3)(rng), classes(2, 4)(rng)) for _ in range(6)],
    )


def step_of(small, before=lambda x: x, after=lambda loss: loss, clear=True):
    """Return a step with something in it."""
    loss_of = nn.CrossEntropyLoss()

    def step(x, y):
        if clear:
            small.optimizer.zero_grad()
        loss = loss_of(small.model(before(x)), y)
        result = after(loss)
        loss.backward()
        small.optimizer.step()
        return result

    return step


def run(compiled, batches, count=3):
    for x, y in batches[:count]:
        result = compiled(x, y)
    return result


READS = {
    "item": lambda x: x.reshape(-1)[0].item(),
    "bool": lambda x: bool(x.reshape(-1)[0]),
    "numpy": lambda x: x.numpy(),
    "tolist": lambda x: x.tolist(),
}


@pytest.mark.parametrize("how", READS)
def test_reading_values_is_refused(small, how):
    def before(x):
        READS[how](x)
        return x

    with pytest.raises(tm.CompileError, match=rf"compile: {how}\(\) reads the values"):
        run(tm.compile(step_of(small, before)), small.batches)


def test_float_is_refused(small):
    with pytest.raises(tm.CompileError, match=r"item\(\) reads the values"):
        run(tm.compile(step_of(small, after=float)), small.batches)


def refused(small, match, **settings):
    with pytest.raises(tm.CompileError, match=match):
        run(tm.compile(step_of(small, **settings)), small.batches)


def test_ops_without_kernel_are_refused_by_name(small):
    refused(small, "compile: no compiled kernel does the op Exp of the step", before=tm.exp)


def test_a_missing_zero_grad_is_refused(small):
    refused(small, r"written in place.*call zero_grad\(\) in the step", clear=False)


def test_writes_in_place_are_refused(small):
    refused(small, "written in place", before=lambda x: x.zero_())


def test_a_result_that_is_no_tensor_is_refused(small):
    refused(small, "the step returns a int; return tensors", after=lambda loss: 3)


def test_what_python_makes_is_refused(small):
    refused(
        small,
        "made by Python, not by a kernel|comes out differently",
        before=lambda x: tm.Tensor(x.data * 2),
    )


def test_control_flow_that_changes_is_refused(small):
    turns = iter(range(10))
    refused(
        small,
        "two runs of the step made different calls",
        before=lambda x: x.relu() if next(turns) % 2 else x,
    )


def test_two_gradients_of_a_parameter_are_refused(small):
    def step(x, y):
        for _ in range(2):
            small.optimizer.zero_grad()
            nn.functional.cross_entropy(small.model(x), y).backward()
            small.optimizer.step()

    with pytest.raises(tm.CompileError, match="gets two gradients in one step"):
        tm.compile(step)(*small.batches[0])


def test_gradients_of_rows_are_refused(small):
    table = nn.Embedding(5, 3, sparse=True)
    with pytest.raises(tm.CompileError, match=r"some of its rows.*sparse=False"):
        tm.compile(lambda ids: nn.functional.mse_loss(table(ids), tm.zeros(2, 3)).backward())(
            np.array([0, 1])
        )


def test_inputs_are_checked(small):
    compiled = tm.compile(step_of(small))
    with pytest.raises(TypeError, match="input 1 is a list, expected a Tensor or an array"):
        compiled(small.batches[0][0], [1, 2, 3, 4])
    with pytest.raises(tm.CompileError, match="input 0 wants a gradient; detach"):
        compiled(tm.ones(4, 3, requires_grad=True), small.batches[0][1])
    with pytest.raises(TypeError, match="compile: a int is not a function or a Module"):
        tm.compile(3)


def test_float16_is_refused(small):
    model = nn.Linear(3, 2).half().eval()
    with pytest.raises(tm.CompileError, match=r"compile: matmul.linear on 'numba_cpu' cannot do"):
        tm.compile(model)(small.batches[0][0].astype(np.float16))


def test_another_backend_is_refused(small):
    with (
        tm.use_backend("reference"),
        pytest.raises(tm.CompileError, match="'reference' is asked for; only 'numba_cpu'"),
    ):
        tm.compile(step_of(small))(*small.batches[0])


def test_a_compiled_step_in_another_is_refused(small):
    inner = tm.compile(small.model.eval())
    with pytest.raises(tm.CompileError, match="a step calls a function that is compiled"):
        tm.compile(lambda x: inner(x))(small.batches[0][0])


def test_without_numba_the_extra_is_named(small, monkeypatch):
    monkeypatch.setattr("tinymed.compilation.missing", lambda backend: "numba")
    with pytest.raises(ImportError, match=r"it needs numba; pip install tinymed\[fast\]"):
        tm.compile(step_of(small))(*small.batches[0])


# ----------------------------------------------------------------------- what changes in between


def compiled_model(model, batches, count=3):
    compiled = tm.compile(model)
    for x, _ in batches[:count]:
        compiled(x)
    assert next(reversed(compiled.plans.values())).program is not None
    return compiled


def test_other_shapes_are_other_plans_and_the_oldest_are_forgotten(small):
    compiled = compiled_model(small.model.eval(), small.batches)
    for rows in range(1, MOST + 4):
        x = np.ones((rows, 3), np.float32) * rows
        np.testing.assert_allclose(compiled(x).data, small.model(tm.Tensor(x)).data, 1e-5)
    assert len(compiled.plans) == MOST


def test_loaded_and_replaced_parameters_count(small):
    model, x = small.model.eval(), small.batches[5][0]
    compiled = compiled_model(model, small.batches)
    model.load_state_dict({"weight": tm.ones(2, 3), "bias": tm.zeros(2)})
    np.testing.assert_allclose(compiled(x).data, x.sum(1, keepdims=True).repeat(2, 1), 1e-5)
    model.weight.data = np.full((2, 3), 2, np.float32)
    np.testing.assert_allclose(compiled(x).data, 2 * x.sum(1, keepdims=True).repeat(2, 1), 1e-5)


def test_a_loaded_state_of_the_optimizer_counts():
    results = []
    for compile in (lambda step: step, tm.compile):
        model, step, optimizer = training(lambda: nn.Linear(6, 2), nn.MSELoss, ADAM)
        run_step, rng = compile(step), np.random.default_rng(0)
        saved = None
        for number in range(9):
            x, y = tm.Tensor(floats(7, 6)(rng)), tm.Tensor(floats(7, 2)(rng))
            run_step(x, y)
            if number == 1:
                saved = optimizer.state_dict()
            if number == 5:
                optimizer.load_state_dict(saved)
        results.append(model.weight.data.copy())
    np.testing.assert_allclose(*results, 1e-5, 1e-6)


def test_train_and_eval_are_seen_in_a_step_function():
    model = nn.Sequential(nn.Linear(3, 50), nn.Dropout(0.5))
    compiled, rng = tm.compile(lambda x: model(x)), np.random.default_rng(0)
    for training_mode in (True, False, True):
        model.train(training_mode)
        for _ in range(4):
            x = floats(2, 3)(rng)
            y = compiled(x).data
            assert (y == 0).any() == training_mode
            if not training_mode:
                np.testing.assert_allclose(y, model(tm.Tensor(x)).data, 1e-5, 1e-6)


def test_classes_out_of_range_are_noticed_later_too(small):
    compiled = tm.compile(step_of(small))
    run(compiled, small.batches)
    x, y = small.batches[3]
    with pytest.raises(IndexError, match="out of range"):
        compiled(x, y + 5)
    assert compiled(x, y).item() > 0  # and it still works


def test_gradients_that_the_step_forgets_are_forgotten(small):
    def step(x, y):
        nn.functional.cross_entropy(small.model(x), y).backward()
        small.optimizer.step()
        small.optimizer.zero_grad()

    compiled = tm.compile(step)
    for x, y in small.batches:
        compiled(x, y)
        assert small.model.weight.grad is None


def test_threads_may_share_it(small):
    model = small.model.eval()
    compiled = compiled_model(model, small.batches)
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(50):
            x = floats(4, 3)(rng)
            if not np.allclose(compiled(x).data, model(tm.Tensor(x)).data, atol=1e-5):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_detect_anomaly_still_looks_at_values(small):
    compiled = compiled_model(small.model.eval(), small.batches)
    x = np.full((4, 3), np.nan, np.float32)
    assert np.isnan(compiled(x).data).all()
    with tm.detect_anomaly(), pytest.raises(tm.AnomalyError):
        compiled(x)


def test_equal_batches_prove_nothing(small):
    compiled, (x, _) = tm.compile(small.model.eval()), small.batches[0]
    for _ in range(3):
        compiled(x)
    (plan,) = compiled.plans.values()
    assert plan.program is None
