"""Cases of the layers that normalise each sample for itself."""

from tests.torch_results.layers.case import case

case("LayerNorm: default", (3, 4), normalized_shape=4)
case("LayerNorm: two axes", (2, 3, 4), normalized_shape=[3, 4], eps=0.1)
case("LayerNorm: no bias", (2, 3, 4), normalized_shape=4, bias=False)
case("LayerNorm: not affine", (2, 3, 4), normalized_shape=(3, 4), elementwise_affine=False)
case("LayerNorm: zero batch", (0, 4), normalized_shape=4)
case("LayerNorm: one feature", (3, 1), normalized_shape=1)
case("RMSNorm: default", (3, 4), normalized_shape=4)
case("RMSNorm: two axes", (2, 3, 4), normalized_shape=[3, 4], eps=0.1)
case("RMSNorm: not affine", (2, 4), normalized_shape=4, elementwise_affine=False)
case("RMSNorm: zero batch", (0, 4), normalized_shape=4)
case("GroupNorm: two groups", (2, 4, 3, 2), num_groups=2, num_channels=4)
case("GroupNorm: one group", (2, 3, 4), num_groups=1, num_channels=3, eps=0.1)
case("GroupNorm: a group each", (2, 3, 4), num_groups=3, num_channels=3)
case("GroupNorm: rows", (3, 6), num_groups=2, num_channels=6)
case("GroupNorm: not affine", (2, 4, 5), num_groups=2, num_channels=4, affine=False)
case("GroupNorm: no bias", (2, 4, 5), num_groups=2, num_channels=4, bias=False)
case("GroupNorm: zero batch", (0, 4, 5), num_groups=2, num_channels=4)
for n, size in enumerate([(5,), (3, 4), (2, 3, 2)], 1):
    norm = f"InstanceNorm{n}d"
    tracked = {"num_features": 3, "track_running_stats": True}
    case(f"{norm}: default", (2, 3, *size), num_features=3)
    case(f"{norm}: affine", (2, 3, *size), num_features=3, affine=True, eps=0.1)
    case(f"{norm}: no bias", (2, 3, *size), num_features=3, affine=True, bias=False)
    case(f"{norm}: unbatched", (3, *size), num_features=3, affine=True)
    case(f"{norm}: other channels", (2, 4, *size), num_features=3)
    case(f"{norm}: tracked, train", (2, 3, *size), **tracked, affine=True, training=True)
    case(f"{norm}: tracked, eval", (2, 3, *size), **tracked, momentum=0.3)
    case(f"{norm}: tracked, train, momentum", (4, 3, *size), **tracked, momentum=0.5, training=True)
case("LocalResponseNorm: default", (2, 5, 3), size=2)
case("LocalResponseNorm: images", (2, 5, 3, 2), size=3, alpha=0.5, beta=0.5, k=2.0)
case("LocalResponseNorm: volumes", (1, 4, 2, 3, 2), size=5, alpha=1.0)
