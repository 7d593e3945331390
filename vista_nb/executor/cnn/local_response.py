"""Local response normalisation as a Keras layer: Keras has none, AlexNet needs it.

Imports Keras at the top: only functions that run in throw-away subprocesses and tests import this module. Returns no
value but the registered class, so that a saved AlexNet loads with safe_mode. May touch: TensorFlow through Keras.
Krizhevsky et al. 2012, section 3.3: b_c = a_c / (bias + alpha * sum of a_j^2 over |j - c| <= radius) ^ beta.
"""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["LocalResponseNormalization"]


@keras.saving.register_keras_serializable(package="vista_nb")
class LocalResponseNormalization(keras.layers.Layer):  # type: ignore[misc]
    """Divides each value by a power of the energy of the channels around it; (n, h, w, c) in and out.

    alpha is per channel, as in TensorFlow; Caffe's alpha is this one times (2 radius + 1).
    """

    def __init__(
        self, radius: int = 2, alpha: float = 2e-5, beta: float = 0.75, bias: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.radius, self.alpha, self.beta, self.bias = radius, alpha, beta, bias
        self.built = True  # no weights

    def call(self, inputs: Any) -> Any:
        if keras.config.backend() == "tensorflow":
            import tensorflow as tf

            return tf.nn.local_response_normalization(inputs, self.radius, self.bias, self.alpha, self.beta)
        return inputs / keras.ops.power(self.bias + self.alpha * self._energy(inputs), self.beta)

    def _energy(self, inputs: Any) -> Any:
        """The sum of squares over the neighbouring channels; beyond the first and the last there is nothing."""
        squares = keras.ops.pad(keras.ops.square(inputs), [(0, 0), (0, 0), (0, 0), (self.radius, self.radius)])
        channels = inputs.shape[-1]
        return sum(squares[..., shift : shift + channels] for shift in range(2 * self.radius + 1))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"radius": self.radius, "alpha": self.alpha, "beta": self.beta, "bias": self.bias}
        return {**super().get_config(), **own}
