"""`Normal`: where the images of one domain lie among all images."""

from dataclasses import dataclass

import numpy as np

_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Normal:
    """The distribution of one domain's features, and what it takes for none.

    ```
    score(z) = log |det F| - |(z - m) F|^2 / 2        F F' = covariance^-1
    ```

    the logarithm of the density without the constant that all domains have.

    Attributes:
        mean: `m`, float32 `(c,)`.
        factor: `F`, upper triangle, float16 `(c, c)`.
        threshold: Images with a lower score are not of the domain.
        images: How many it was fitted to.
    """

    mean: np.ndarray
    factor: np.ndarray
    threshold: float
    images: int

    @classmethod
    def fit(cls, z: np.ndarray, rejected: float) -> "Normal":
        """Fits everything to features `(n, c)`.

        The covariance is shrunk by OAS. The threshold has the part `rejected`
        of the images below it, each scored by a distribution that was fitted
        to the other four fifths: to its own images it fits too well.

        Reference: Chen, Wiesel, Eldar, Hero, "Shrinkage Algorithms for MMSE
        Covariance Estimation", IEEE Transactions on Signal Processing 2010.
        """
        fold, scores = np.arange(len(z)) % _FOLDS, np.empty(len(z))
        for i in range(_FOLDS):
            scores[fold == i] = _fitted(z[fold != i]).scores(z[fold == i])
        return _fitted(z, float(np.float32(np.quantile(scores, rejected))))

    @property
    def offset(self) -> float:
        """log |det F|; the factor is triangular."""
        return float(np.log(np.diag(self.factor).astype(np.float64)).sum())

    def scores(self, z: np.ndarray) -> np.ndarray:
        """`(n,)` of features `(n, c)`."""
        away = (z - self.mean) @ self.factor.astype(np.float32)
        return self.offset - 0.5 * np.square(away).sum(axis=1)


def _fitted(z, threshold=0.0):
    from sklearn.covariance import oas

    z = z.astype(np.float64)
    mean = z.mean(axis=0)
    covariance, _ = oas(z - mean, assume_centered=True)
    # Channels that nothing moves; half precision ends at 65,504.
    covariance += 1e-8 * np.eye(len(mean))
    factor = np.linalg.inv(np.linalg.cholesky(covariance)).T
    return Normal(
        mean.astype(np.float32), factor.astype(np.float16), threshold, len(z)
    )
