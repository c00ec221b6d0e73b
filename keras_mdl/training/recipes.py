"""Published training recipes, and a short one, as named frozen values.

Recipes that begin with `paper-` and `code-` follow a publication or its
released code. Two things are not the recipe's to say: networks keep BatchNorm
factors above `gamma_floor`, which the publications do not have (build them
with `gamma_floor=None` for it), and Piggyback's settings for the decathlon
were never published.
"""

import math
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import keras

from keras_mdl.layers.transforms import UNDECAYED
from keras_mdl.training.optimizers import CoupledSGD
from keras_mdl.training.precision import PRECISIONS
from keras_mdl.training.staged_freezing import Stage


@dataclass(frozen=True)
class Recipe:
    """How to train one domain: everything but the images.

    Attributes:
        name: Key in `RECIPES`.
        phase: What trains (see `FreezePlan`).
        epochs: Number of epochs.
        batch_size: Images per step.
        learning_rate: At the start.
        drops: Epochs (from 0) at which the rate is multiplied by `factor`.
            With `cosine`, empty: the rate falls to zero along a half cosine.
        factor: See `drops`.
        cosine: Whether the rate follows a half cosine.
        optimizer_name: `"coupled_sgd"` or `"adamw"`.
        momentum: For SGD.
        weight_decay: For domains not in `decays`. Masks of Piggyback do not
            decay: zero is no neutral value for them.
        decays: `{domain: weight decay}`.
        dropouts: `{domain: dropout before the classifier}`, others 0.
        warmup: With `cosine`, the part of the training in which the rate
            climbs from zero first.
        least_steps: Optimizer steps at the least: a domain of few images gets
            more epochs (see `for_images`).
        head_part: Part of the epochs in which the head alone trains first: a
            fresh head would spoil a slot that is good already.
        head_rate: Learning rate of that.
        label_smoothing: As `SmoothedCrossentropy`.
        balance: How much rare classes are lifted, 0 to 1, see
            `balanced_weights`.
        patience: Epochs without a better validation accuracy after which the
            training stops; the best epoch is kept. `None`: the last is.
        ema: Weight of the old values in an average over the steps, in
            [0, 1), which is validated and left in place of the last step's
            (see `AveragedWeights`); 0: none is.
        precision: One of `PRECISIONS`, see `computing_in`.
        augment: Name of the constructor of `keras_mdl.data.Preprocess` whose
            input pipeline is used where no published one is.
        crops: Key for `keras_mdl.data.Preprocess.decathlon`, or `None`.
        note: Where the values come from, and what is inferred.
    """

    name: str
    phase: str
    epochs: int
    batch_size: int
    learning_rate: float
    drops: tuple = ()
    factor: float = 0.1
    cosine: bool = False
    warmup: float = 0.0
    least_steps: int = 0
    head_part: float = 0.0
    head_rate: float = 3e-3
    label_smoothing: float = 0.0
    balance: float = 0.0
    patience: int | None = None
    ema: float = 0.0
    precision: str = "float32"
    augment: str = "default"
    optimizer_name: str = "coupled_sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    decays: MappingProxyType = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    dropouts: MappingProxyType = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    crops: str | None = "guo"
    note: str = ""

    def __post_init__(self):
        if not 0 <= self.head_part < 1:
            raise ValueError(
                "`head_part` must lie in [0, 1): the rest trains after it. "
                f"Received: {self.head_part}"
            )
        if not 0 <= self.ema < 1:
            raise ValueError(f"`ema` must lie in [0, 1). Received: {self.ema}")
        if not 0 <= self.balance <= 1:
            raise ValueError(
                f"`balance` must lie in [0, 1]. Received: {self.balance}"
            )
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"Unknown precision: {self.precision!r}. Known: "
                f"{', '.join(PRECISIONS)}"
            )

    def decay(self, domain: str) -> float:
        """The weight decay of a domain."""
        return self.decays.get(domain, self.weight_decay)

    def dropout(self, domain: str) -> float:
        """The dropout rate before a domain's classifier."""
        return self.dropouts.get(domain, 0.0)

    def optimizer(self, domain: str, steps_per_epoch: int) -> keras.Optimizer:
        """A new optimizer whose schedule covers the whole recipe.

        Args:
            domain: Name of the domain (for its weight decay).
            steps_per_epoch: Optimizer steps in an epoch.
        """
        rate = self.learning_rate
        if self.cosine:
            steps = self.epochs * steps_per_epoch
            climb = round(self.warmup * steps)
            rate = keras.optimizers.schedules.CosineDecay(
                0.0 if climb else rate,
                steps - climb,
                warmup_target=rate if climb else None,
                warmup_steps=climb,
            )
        elif self.drops:
            rate = keras.optimizers.schedules.PiecewiseConstantDecay(
                # A boundary belongs to the stretch before it.
                [d * steps_per_epoch - 1 for d in self.drops],
                [rate * self.factor**i for i in range(len(self.drops) + 1)],
            )
        average = {}
        if self.ema:
            average = {"use_ema": True, "ema_momentum": self.ema}
        if self.optimizer_name == "adamw":
            if not self.decay(domain):
                # The same rule, in a graph that compiles in two thirds of
                # the time.
                return keras.optimizers.Adam(rate, **average)
            adamw = keras.optimizers.AdamW(
                rate, weight_decay=self.decay(domain), **average
            )
            # TensorFlow's variables are called "mask:0".
            adamw.exclude_from_weight_decay(
                var_names=[f"^{name}(:0)?$" for name in sorted(UNDECAYED)]
            )
            return adamw
        return CoupledSGD(
            rate, momentum=self.momentum, l2=self.decay(domain), **average
        )

    def for_images(self, count: int) -> "Recipe":
        """The recipe with enough epochs for `least_steps`.

        Args:
            count: Training images.
        """
        steps = math.ceil(count / self.batch_size)
        epochs = max(self.epochs, math.ceil(self.least_steps / steps))
        return self.replace(epochs=epochs, least_steps=0)

    def in_order(self) -> tuple:
        """The trainings that the recipe consists of: the head's, the rest."""
        first = math.ceil(self.head_part * self.epochs)
        if self.phase == "head" or not 0 < first < self.epochs:
            return [self]
        head = self.replace(
            phase="head",
            epochs=first,
            learning_rate=self.head_rate,
            drops=(),
            head_part=0.0,
            patience=None,
        )
        rest = self.replace(
            epochs=self.epochs - first,
            drops=tuple(d - first for d in self.drops if d > first),
            head_part=0.0,
        )
        return [head, rest]

    def stage(self) -> Stage:
        """The recipe as one `Stage` for `StagedFreezing` (drops only)."""
        if self.cosine:
            raise ValueError(
                f"Recipe {self.name!r} has a cosine schedule, not drops: use "
                "its `optimizer`"
            )
        return Stage(
            self.phase, self.epochs, self.learning_rate, self.drops, self.factor
        )

    def replace(self, **changes) -> "Recipe":
        """The same recipe with some values changed."""
        return replace(self, **changes)


def _by_domain(**values):
    return MappingProxyType(
        {name.replace("_", "-"): v for name, v in values.items()}
    )


# Weight decay of stage 2, by domain: the paper's table and the code's list,
# which differ for svhn and vgg-flowers.
_PAPER_DECAYS = _by_domain(
    aircraft=5e-4,
    cifar100=5e-4,
    daimlerpedcls=5e-4,
    dtd=2e-3,
    gtsrb=3e-4,
    omniglot=5e-4,
    svhn=3e-4,
    ucf101=5e-4,
    vgg_flowers=3e-4,
)
_CODE_DECAYS = _by_domain(
    aircraft=5e-4,
    cifar100=5e-4,
    daimlerpedcls=5e-4,
    dtd=2e-3,
    gtsrb=3e-4,
    omniglot=5e-4,
    svhn=2e-4,
    ucf101=5e-4,
    vgg_flowers=1e-4,
    imagenet12=1e-4,
)
_CODE_DROPOUTS = _by_domain(gtsrb=0.5, ucf101=0.5, daimlerpedcls=0.5)

RECIPES = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                "paper-base",
                "base",
                120,
                256,
                0.1,
                (80, 100),
                weight_decay=1e-4,
                note="Guo et al., section on training: stage 1 on ImageNet. "
                "Crops from the released code; the paper gives none.",
            ),
            Recipe(
                "paper-domain",
                "domain",
                100,
                256,
                0.1,
                (60, 80),
                decays=_PAPER_DECAYS,
                note="Stage 2: one domain, from the base's slot. Batch size "
                "and crops as in stage 1.",
            ),
            Recipe(
                "paper-gate",
                "gate",
                10,
                256,
                0.1,
                (5,),
                decays=_PAPER_DECAYS,
                note="Soft sharing: the paper trains the gates only.",
            ),
            Recipe(
                "code-base",
                "base",
                120,
                128,
                0.1,
                (80, 100),
                weight_decay=5e-4,
                note="Released params.json and log of stage 1.",
            ),
            Recipe(
                "code-domain",
                "domain",
                100,
                128,
                0.1,
                (40,),
                decays=_CODE_DECAYS,
                dropouts=_CODE_DROPOUTS,
                note="Released main.py: arguments 40/60/80, but the lines "
                "that apply the second and third drop are commented out.",
            ),
            Recipe(
                "code-gate",
                "gate_and_slot",
                10,
                128,
                0.1,
                (5,),
                decays=_CODE_DECAYS,
                note="Released main_sharing.py: BatchNorm, the last pointwise "
                "and the classifier keep training with the gates.",
            ),
            Recipe(
                "code-individual",
                "base",
                120,
                128,
                0.1,
                (80, 100),
                weight_decay=5e-4,
                note="Released finetune.py: the individual networks.",
            ),
            Recipe(
                "code-adapters",
                "adapter_and_norm",
                120,
                128,
                0.1,
                (80, 100),
                weight_decay=5e-4,
                crops="adapters",
                note="Released train_new_task_adapters.py of Rebuffi et al. "
                "There 1x1 kernels decay by 1e-4 in the example and by a "
                "quirk BatchNorms with them; here one decay for all.",
            ),
            Recipe(
                "code-dan",
                "adapter",
                50,
                64,
                0.1,
                (25,),
                weight_decay=5e-4,
                crops="adapters",
                note="Released notebook of DAN, its SGD setting (gtsrb: 25 "
                "epochs there). Which optimiser made the published row is not "
                "known. Its layer has no bias where the base has none, ours "
                "has one; its low-rank factors have half the rank, ours a "
                "quarter.",
            ),
            Recipe(
                "quick-base",
                "base",
                20,
                64,
                3e-3,
                cosine=True,
                optimizer_name="adamw",
                weight_decay=0.01,
                crops=None,
                note="Ours, for small networks and minutes of CPU time.",
            ),
            Recipe(
                "quick-domain",
                "domain",
                12,
                64,
                3e-3,
                cosine=True,
                optimizer_name="adamw",
                weight_decay=0.01,
                crops=None,
                note="Ours, the same for a further domain.",
            ),
            Recipe(
                "quick-gate",
                "gate",
                4,
                64,
                3e-3,
                cosine=True,
                optimizer_name="adamw",
                weight_decay=0.01,
                crops=None,
                note="Ours, the same for the gates of soft sharing.",
            ),
            Recipe(
                "photo-domain",
                "domain",
                8,
                32,
                2e-3,
                cosine=True,
                warmup=0.1,
                least_steps=600,
                head_part=0.25,
                label_smoothing=0.1,
                balance=0.5,
                patience=20,
                augment="photos",
                optimizer_name="adamw",
                weight_decay=0.01,
                crops=None,
                note="Ours, for a further domain on a pretrained trunk.",
            ),
        )
    }
)


def get_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ValueError: If there is none; the message lists those known.
    """
    if name not in RECIPES:
        raise ValueError(
            f"Unknown recipe: {name!r}. Known recipes: {', '.join(RECIPES)}"
        )
    return RECIPES[name]
