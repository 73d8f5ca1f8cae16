"""Maps that layers told themselves equal those of the layers asked by hand."""

import numpy as np
import pytest

import tinymed as tm
from tinymed import interpret, nn
from tinymed.nn.gates import gate_maps

RANDOM = np.random.default_rng(3)


def test_attention_of_every_layer_of_an_encoder():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 2)
    x = tm.tensor(RANDOM.standard_normal((3, 5, 8)).astype(np.float32))
    padding = tm.tensor(np.arange(5) >= np.array([[5], [3], [4]]))
    maps = interpret.attention_maps(model, x, src_key_padding_mask=padding)
    assert list(maps) == ["layers.0.self_attn", "layers.1.self_attn"]
    assert model.training
    model.eval()
    _, by_hand = model.layers[0].self_attn(x, x, x, padding, average_attn_weights=False)
    np.testing.assert_allclose(maps["layers.0.self_attn"], by_hand.data, rtol=1e-6)
    np.testing.assert_allclose(maps["layers.1.self_attn"].sum(axis=-1), 1, rtol=1e-5)
    assert (maps["layers.1.self_attn"][1, :, :, 3:] == 0).all()
    assert all("forward" not in module.__dict__ for module in model.modules())


@pytest.mark.parametrize("shape", [(5, 3, 8), (5, 8)])
def test_the_model_gets_what_it_asked_the_layer_for(shape):
    got = []

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.look = nn.MultiheadAttention(8, 2)

        def forward(self, x):
            got.append((self.look(x, x, x), self.look(x, x, x, need_weights=False)))
            return x

    model, x = Model(), tm.tensor(RANDOM.standard_normal(shape).astype(np.float32))
    with pytest.raises(ValueError, match="layer 'look' ran twice"):
        interpret.attention_maps(model, x)
    model.eval()
    with tm.no_grad():
        expected = model.look(x, x, x)
    (seen,) = interpret.attention_maps(model.look, x, x, x).values()
    np.testing.assert_allclose(seen.mean(axis=-3), expected[1].data, rtol=1e-6)


def test_gates_within_a_model_are_those_of_the_layer():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.front, self.memory = nn.Linear(2, 3), nn.GRU(3, 4, bidirectional=True)

        def forward(self, x, lengths):
            return self.memory(self.front(x), lengths=lengths)[0]

    model, x = Model(), tm.tensor(RANDOM.standard_normal((6, 2, 2)).astype(np.float32))
    maps = interpret.recurrent_maps(model, x, lengths=[6, 4])
    assert list(maps) == ["memory"]
    expected = gate_maps(model.memory, model.front(x), lengths=[6, 4])
    for name, each in expected.items():
        for gate, values in each.items():
            np.testing.assert_array_equal(maps["memory"][name][gate], values)
    assert interpret.gate_maps is gate_maps
    with pytest.raises(TypeError, match="attention_maps: Model runs no MultiheadAttention"):
        interpret.attention_maps(model, x, [6, 4])
    with pytest.raises(TypeError, match="recurrent_maps: Linear runs no LSTM and no GRU"):
        interpret.recurrent_maps(model.front, x)
