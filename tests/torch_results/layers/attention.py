"""Cases of attention and of what transformers are made of."""

from tests.torch_results.layers.case import Drawn, Layer, case, only_here

heads = {"embed_dim": 4, "num_heads": 2}
x, keys = (3, 2, 4), (5, 2, 4)
masked = Drawn("normal", (2, 5), constant=True)
case("MultiheadAttention: default", x, keys, keys, **heads)
case("MultiheadAttention: each head", x, keys, keys, call={"average_attn_weights": False}, **heads)
case("MultiheadAttention: no weights", x, keys, keys, call={"need_weights": False}, **heads)
case("MultiheadAttention: batch first", (2, 3, 4), (2, 5, 4), (2, 5, 4), batch_first=True, **heads)
case("MultiheadAttention: unbatched", (3, 4), (5, 4), (5, 4), **heads)
case("MultiheadAttention: no bias", x, keys, keys, bias=False, **heads)
case("MultiheadAttention: learned key and value", x, keys, keys, add_bias_kv=True, **heads)
case("MultiheadAttention: zero key and value", x, keys, keys, add_zero_attn=True, **heads)
case(
    "MultiheadAttention: both, padding added",
    x, keys, keys, masked, add_bias_kv=True, add_zero_attn=True, **heads,
)  # fmt: skip
case("MultiheadAttention: other features", x, (5, 2, 3), (5, 2, 6), kdim=3, vdim=6, **heads)
case("MultiheadAttention: padding added", x, keys, keys, masked, **heads)
case(
    "MultiheadAttention: a mask for each head",
    x, keys, keys, masked, None, Drawn("normal", (4, 3, 5), constant=True), **heads,
)  # fmt: skip
case("MultiheadAttention: training", x, keys, keys, training=True, **heads)
case("MultiheadAttention: zero batch", (3, 0, 4), (5, 0, 4), (5, 0, 4), **heads)
case("MultiheadAttention: one step", (1, 2, 4), (1, 2, 4), (1, 2, 4), **heads)

layer = {"d_model": 4, "nhead": 2, "dim_feedforward": 6, "dropout": 0.0}
case("TransformerEncoderLayer: default", (3, 2, 4), training=True, **layer)
case("TransformerEncoderLayer: gelu, norm first", (3, 2, 4), training=True, **layer,
     activation="gelu", norm_first=True)  # fmt: skip
case("TransformerEncoderLayer: batch first", (2, 3, 4), training=True, **layer, batch_first=True)
case("TransformerEncoderLayer: no bias", (3, 2, 4), training=True, **layer, bias=False)
case("TransformerEncoderLayer: unbatched, eps", (3, 4), training=True, **layer, layer_norm_eps=0.1)
case(
    "TransformerEncoderLayer: masks", (3, 2, 4), Drawn("normal", (3, 3), constant=True),
    Drawn("normal", (2, 3), constant=True), training=True, **layer,
)  # fmt: skip

one = Layer("TransformerEncoderLayer", layer)
case("TransformerEncoder: two", (3, 2, 4), training=True, encoder_layer=one, num_layers=2)
case(
    "TransformerEncoder: a norm at the end", (3, 2, 4), training=True, encoder_layer=one,
    num_layers=1, norm=Layer("LayerNorm", {"normalized_shape": 4}),
)  # fmt: skip
case(
    "TransformerEncoder: masks", (3, 2, 4), Drawn("normal", (3, 3), constant=True),
    Drawn("normal", (2, 3), constant=True), training=True, encoder_layer=one, num_layers=2,
)  # fmt: skip

target, memory = (3, 2, 4), (5, 2, 4)
masks = [Drawn("normal", shape, constant=True) for shape in ((3, 3), (3, 5), (2, 3), (2, 5))]
case("TransformerDecoderLayer: default", target, memory, training=True, **layer)
case("TransformerDecoderLayer: gelu, norm first", target, memory, training=True, **layer,
     activation="gelu", norm_first=True)  # fmt: skip
case("TransformerDecoderLayer: batch first, no bias", (2, 3, 4), (2, 5, 4), training=True, **layer,
     batch_first=True, bias=False)  # fmt: skip
case("TransformerDecoderLayer: unbatched, eps", (3, 4), (5, 4), training=True, **layer,
     layer_norm_eps=0.1)  # fmt: skip
case("TransformerDecoderLayer: masks", target, memory, *masks, training=True, **layer)

one = Layer("TransformerDecoderLayer", layer)
last = Layer("LayerNorm", {"normalized_shape": 4})
case("TransformerDecoder: two", target, memory, training=True, decoder_layer=one, num_layers=2)
case("TransformerDecoder: a norm at the end", target, memory, training=True, decoder_layer=one,
     num_layers=1, norm=last)  # fmt: skip
case("TransformerDecoder: masks", target, memory, *masks, training=True, decoder_layer=one,
     num_layers=2)  # fmt: skip

own = Layer("TransformerEncoder", {"encoder_layer": Layer("TransformerEncoderLayer", layer),
                                   "num_layers": 1})  # fmt: skip
small = layer | {"num_encoder_layers": 1, "num_decoder_layers": 1}
case("Transformer: default", memory, target, training=True, **small)
case("Transformer: two and one, gelu, norm first", memory, target, training=True,
     **small | {"num_encoder_layers": 2}, activation="gelu", norm_first=True)  # fmt: skip
case("Transformer: batch first, no bias, eps", (2, 5, 4), (2, 3, 4), training=True, **small,
     batch_first=True, bias=False, layer_norm_eps=0.1)  # fmt: skip
case("Transformer: masks", memory, target, Drawn("normal", (5, 5), constant=True), *masks[:2],
     Drawn("normal", (2, 5), constant=True), *masks[2:], training=True, **small)  # fmt: skip
case("Transformer: an encoder of one's own", memory, target, training=True, **small,
     custom_encoder=own)  # fmt: skip

only_here("PositionalEncoding", "tests/nn/test_attention.py")
only_here("LearnedPositionalEncoding", "tests/nn/test_attention.py")
