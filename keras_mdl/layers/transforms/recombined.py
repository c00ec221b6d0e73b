"""`DANController`: new filters as combinations of the shared ones."""

import keras
from keras import ops

from keras_mdl.layers.transforms.base import KernelTransform

FORMS = ("linear", "diagonal", "low_rank")


@keras.saving.register_keras_serializable("keras_mdl")
class DANController(KernelTransform):
    """Uses linear combinations of a frozen layer's filters, and a bias.

    With the shared kernel as `F`, one row per filter:

    ```
    y = (W F) * x + b        W: (filters, filters)
    ```

    `W` is a full matrix (`"linear"`, started at the identity with a little
    noise on its diagonal), a diagonal (`"diagonal"`, the same), or a product
    of two thin matrices (`"low_rank"`, of `rank_ratio * filters` columns,
    started at truncated identities). Folds into an ordinary kernel.

    Args:
        form: `"linear"`, `"diagonal"` or `"low_rank"`.
        rank_ratio: For `"low_rank"`, in (0, 1].
        **kwargs: As `KernelTransform`.

    Reference: Rosenfeld and Tsotsos, "Incremental learning through deep
    adaptation" (DAN), arXiv 1705.04228, and the released notebook. Their
    switch between base and adapted filters is here the choice of the domain.
    """

    kernels = ("shared",)

    def __init__(
        self, form: str = "linear", rank_ratio: float = 0.25, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if form not in FORMS:
            raise ValueError(
                f"`form` must be one of {FORMS}. Received: form={form!r}"
            )
        if not 0 < rank_ratio <= 1:
            raise ValueError(
                "`rank_ratio` must be above 0 and at most 1. "
                f"Received: rank_ratio={rank_ratio!r}"
            )
        self.form = form
        self.rank_ratio = rank_ratio

    def build(self, kernel_shape):
        n = kernel_shape[-1]
        rank = max(1, round(self.rank_ratio * n))
        if self.form == "linear":
            self.controller = self._add("controller", (n, n), _near_identity)
        elif self.form == "diagonal":
            near_one = keras.initializers.RandomNormal(1.0, 1 / n)
            self.controller = self._add("controller", (n,), near_one)
        else:
            self.left = self._add("left", (n, rank), _truncated_identity)
            self.right = self._add("right", (rank, n), _truncated_identity)
        self.bias = self._add("bias", (n,), "zeros")

    def _add(self, name, shape, initializer):
        return self.add_weight(shape=shape, initializer=initializer, name=name)

    def call(self, kernel):
        if self.form == "diagonal":
            kernel = kernel * ops.convert_to_tensor(self.controller)
        elif self.form == "linear":
            kernel = ops.matmul(kernel, ops.transpose(self.controller))
        else:
            thin = ops.matmul(kernel, ops.transpose(self.right))
            kernel = ops.matmul(thin, ops.transpose(self.left))
        return [kernel, ops.convert_to_tensor(self.bias)]

    def compute_output_shape(self, kernel_shape):
        return [tuple(kernel_shape), tuple(kernel_shape[-1:])]

    def get_config(self):
        return {
            **super().get_config(),
            "form": self.form,
            "rank_ratio": self.rank_ratio,
        }


def _near_identity(shape, dtype=None):
    noise = keras.random.normal((shape[0],), 0.0, 1 / shape[0], dtype=dtype)
    return ops.diag(1 + noise)


def _truncated_identity(shape, dtype=None):
    return ops.eye(*shape, dtype=dtype)
