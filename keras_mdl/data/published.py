"""The input pipelines of published recipes, ready to use."""

from __future__ import annotations

from dataclasses import dataclass

from keras_mdl.data import decathlon
from keras_mdl.data.preprocess import Preprocess

_SOURCES = {
    "guo": "released code of Guo et al., AAAI 2019",
    "adapters": "released code of Rebuffi et al., CVPR 2018",
}


@dataclass(frozen=True)
class InputPipeline:
    """What a publication does between image files and batches.

    Attributes:
        preprocess: Sizes, crops and flips.
        pool: Whether training is on train and validation together (see
            `DomainData.pooled`).
        drop_remainder: Whether a last, smaller batch is left out.
        description: What the pipeline is, in one line.
    """

    preprocess: Preprocess
    pool: bool
    drop_remainder: bool
    description: str


def published_pipeline(
    crops: str | None, domain_name: str
) -> InputPipeline | None:
    """The pipeline with which a published recipe was trained on a domain.

    Both releases train on the official train and validation images together
    and keep the last partial batch.

    Args:
        crops: As of a `Recipe`: `"guo"`, `"adapters"` or `None`.
        domain_name: Name of the domain.

    Returns:
        `None` for a recipe without a published pipeline, or a domain that is
        not one of the decathlon's.

    Raises:
        ValueError: For unknown crops.
    """
    if crops is None or domain_name not in decathlon.names():
        return None
    p = Preprocess.decathlon(domain_name, crops)
    train, test = (c[0] if c else "none" for c in (p.train_crop, p.eval_crop))
    return InputPipeline(
        p,
        pool=True,
        drop_remainder=False,
        description=f"{_SOURCES[crops]}: shorter side {p.resize}; training: "
        f"{'random' if p.random_crop else 'centre'} crop {train}, "
        f"{'' if p.flip else 'no '}flip, train and validation pooled, last "
        f"partial batch kept; evaluation: centre crop {test}",
    )
