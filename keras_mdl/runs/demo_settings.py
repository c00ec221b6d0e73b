"""`DemoSettings`: the sizes of the demo."""

from dataclasses import asdict, dataclass

from keras_mdl.runs.pretrained import BASE, PRETRAINED


@dataclass(frozen=True)
class DemoSettings:
    """What the demo trains, and for how long.

    Attributes:
        name: Name of the run.
        seed: Of the weights, the order of batches and augmentation.
        quick: Whether these are the settings of `quick_settings`.
        base: Domain that the trunk is trained on: embedded, or that of a
            pretrained network, which has no images here.
        domains: Embedded domains that are added afterwards.
        methods: Of `keras_mdl.training.METHODS`; the first one builds the
            multi-domain model, the others are for comparison.
        network: Name of the network, see `keras_mdl.runs.networks`.
        width: Channel multiplier of the network, if it has one.
        size: Side of the images in pixels.
        base_epochs: Epochs on the base domain.
        domain_epochs: Epochs on each further domain, for every method.
        soft_target: Domain whose filters are mixed with those of the others
            at the end, as an experiment beside the model.
        soft_layers: Where, as `MultiDomainModel.with_gate` takes it.
        soft_epochs: Epochs of its gates.
        batch_size: Images in a step.
        learning_rate: Start of the cosine schedules, of domains and gates.
        head_learning_rate: The same where only a classifier trains, which
            bears larger steps, and needs them to be a fair comparison.
        weight_decay: Of AdamW. In so few steps it would change nothing, and
            without it the graphs compile faster.
        max_accuracy_drop: Accepted for each exported domain.
    """

    name: str = "demo"
    seed: int = 0
    quick: bool = False
    base: str = BASE
    domains: tuple = ("digits", "glyphs", "textures", "photos")
    methods: tuple = ("pointwise_sharing", "classifier_only")
    network: str = "efficientnet_lite0"
    width: float | None = None
    size: int = 64
    base_epochs: int = 5
    domain_epochs: int = 3
    soft_target: str | None = None
    soft_layers: str = "late"
    soft_epochs: int = 2
    batch_size: int = 32
    learning_rate: float = 2e-3
    head_learning_rate: float = 3e-3
    weight_decay: float = 0.0
    max_accuracy_drop: float = 0.02

    @property
    def pretrained(self):
        """Whether the network has been trained already."""
        return self.network in PRETRAINED

    def command(self):
        """The command line that repeats the run."""
        parts = ["keras-mdl demo", f"--name {self.name}", f"--seed {self.seed}"]
        if not self.pretrained:
            parts.append(f"--network {self.network}")
        return " ".join(parts + ["--quick"] * self.quick)

    def to_dict(self):
        """Plain values for YAML."""
        return {
            k: list(v) if isinstance(v, tuple) else v
            for k, v in asdict(self).items()
        }


def paper_settings(**changes):
    """The paper's network, trained from scratch, soft sharing included."""
    values = {
        "base": "shapes",
        "methods": ("pointwise_sharing", "classifier_only", "individual"),
        "network": "resnet26",
        "width": 0.25,
        "size": 32,
        "domain_epochs": 4,
        "soft_target": "photos",
        "learning_rate": 3e-3,
        "head_learning_rate": 1e-2,
    }
    return DemoSettings(**{**values, **changes})


def quick_settings(**changes):
    """A minute instead of four: fewer domains, one epoch; for smoke tests."""
    values = {
        "quick": True,
        "domains": ("digits", "textures"),
        "width": 0.125,
        "size": 16,
        "base_epochs": 1,
        "domain_epochs": 1,
        "soft_target": "textures",
        "soft_epochs": 1,
        # After one epoch the classes are a toss-up, and int8 throws too.
        "max_accuracy_drop": 0.2,
    }
    return paper_settings(**{**values, **changes})
