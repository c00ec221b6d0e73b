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

    Example:

    ```python
    pipeline = published_pipeline(recipe.crops, data.domain.name)
    if pipeline is not None:
        print(pipeline.description)
    ```
    """
    if crops is None or domain_name not in decathlon.names():
        return None
    preprocess = Preprocess.decathlon(domain_name, crops)
    train, test = preprocess.train_crop, preprocess.eval_crop
    kind = "random" if preprocess.random_crop else "centre"
    return InputPipeline(
        preprocess,
        pool=True,
        drop_remainder=False,
        description=f"{domain_name}: {_SOURCES[crops]}: shorter side "
        f"{preprocess.resize}, training {_said(kind, train)}, "
        f"{'' if preprocess.flip else 'no '}flip, testing "
        f"{_said('centre', test)}; train and validation pooled, last partial "
        "batch kept",
    )


def _said(kind, crop):
    return "whole images" if crop is None else f"{kind} crop {crop[0]}"
