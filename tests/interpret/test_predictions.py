"""Several predictions: who was asked, in what mode, and that all is put back."""

import numpy as np
import pytest

import tinymed as tm
from tinymed import interpret, nn

RANDOM = np.random.default_rng(6)


def network():
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))


def test_members_and_views_are_asked_one_by_one():
    members, x = [network() for _ in range(3)], RANDOM.standard_normal((7, 3)).astype(np.float32)
    found = interpret.member_predictions(members, x, batch_size=4)
    assert all(module.training for member in members for module in member.modules())
    views = [lambda x: x, lambda x: x[:, ::-1]]
    seen = interpret.view_predictions(members[0], tm.tensor(x), [views[0]])
    both = interpret.view_predictions(members[0], x, views)
    for member, each in zip(members, found, strict=True):
        member.eval()
        np.testing.assert_allclose(each, member(tm.tensor(x)).data, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(both[0], found[0])
    np.testing.assert_allclose(seen[0], found[0], rtol=1e-5)
    turned = members[0](tm.tensor(x[:, ::-1].copy())).data
    np.testing.assert_allclose(both[1], turned, rtol=1e-5, atol=1e-6)


def test_dropout_goes_on_and_nothing_else():
    """Of a linear model the mean over many passes is the output without dropout."""
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.4), nn.Linear(3, 2)).double()
    model[1].generator = own = np.random.default_rng(8)
    model[2].eval()
    state = {name: value.data.copy() for name, value in model.state_dict().items()}
    x, before = RANDOM.standard_normal((4, 3)), own.bit_generator.state
    position = tm.random.default_generator().bit_generator.state
    found = interpret.dropout_predictions(model, x, passes=4000, generator=np.random.default_rng(0))
    assert found.shape == (4000, 4, 2)
    assert [module.training for module in model.modules()] == [True, True, True, False]
    assert model[1].generator is own
    assert own.bit_generator.state == before
    assert tm.random.default_generator().bit_generator.state == position
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.data, state[name], err_msg=name)
    model.eval()
    plain = model(tm.tensor(x)).data
    np.testing.assert_allclose(found.mean(axis=0), plain, atol=4 * found.std() / 4000**0.5)
    again = interpret.dropout_predictions(model, x, passes=3, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(again, found[:3])


def test_dropout_within_attention_and_recurrent_layers_counts():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.look = nn.MultiheadAttention(4, 2, dropout=0.5)
            self.memory = nn.GRU(4, 3, num_layers=2, dropout=0.5)

        def forward(self, x):
            return self.memory(self.look(x, x, x)[0])[0]

    x = RANDOM.standard_normal((5, 2, 4)).astype(np.float32)
    found = interpret.dropout_predictions(Model(), x, passes=6, batch_size=5)
    assert (found.std(axis=0) > 0).all()


def test_what_cannot_vary_is_refused():
    x = tm.ones(2, 3)
    with pytest.raises(ValueError, match="Sequential has no dropout"):
        interpret.dropout_predictions(nn.Sequential(nn.Dropout(0.0), nn.Linear(3, 1)), x)
    with pytest.raises(ValueError, match="passes is 0"):
        interpret.dropout_predictions(network(), x, passes=0)
    with pytest.raises(ValueError, match="0 members"):
        interpret.member_predictions([], x)
    with pytest.raises(ValueError, match="0 views"):
        interpret.view_predictions(network(), x, [])
    with pytest.raises(ValueError, match=r"x is \(0, 3\) and batch_size 32"):
        interpret.member_predictions([network()], tm.ones(0, 3))
