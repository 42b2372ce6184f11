"""A network of two layers in flax: rectified neurons with a threshold each, one number out.

Only ``systems/two_layer.py`` uses this file, which hides flax from everybody else.
"""

from typing import Any

from flax import linen as nn

from ci_theory._types import Array, Float

_WIDE = nn.initializers.variance_scaling(1.0, "fan_in", "normal")


class Perceptron(nn.Module):
    """Neurons read the inputs, an output layer of zeros reads them: it starts as the function 0."""

    width: int

    @nn.compact
    def __call__(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """Return the answer to each input."""
        own: dict[str, Any] = {"param_dtype": x.dtype}
        hidden = nn.relu(nn.Dense(self.width, kernel_init=_WIDE, name="into", **own)(x))
        start = nn.initializers.zeros
        return nn.Dense(1, use_bias=False, kernel_init=start, name="out", **own)(hidden)[:, 0]
