"""`Preprocess`: what happens to an image between its file and the network."""

from dataclasses import dataclass

from keras_mdl.data import decathlon
from keras_mdl.data.augment import MOST_OPERATIONS
from keras_mdl.data.epoch import checked_count

_PADDINGS = ("reflect", "zero")
_ROUNDINGS = ("down", "even")
_RECIPES = ("guo", "adapters")


@dataclass(frozen=True)
class Preprocess:
    """How images are resized, cropped and augmented. All sizes in pixels.

    In order: resize; then in training pad, crop, flip, RandAugment, contrast,
    brightness, saturation, erasing and mixing, otherwise a centre crop.
    Pixels stay in `[0, 255]`: the network itself subtracts the domain's mean
    and divides by its deviation.

    Args:
        resize: New length of the *shorter* side (the aspect is kept), or
            `(height, width)` exactly, or `None`.
        train_crop: Crop in training: side of a square, `(height, width)`,
            or `None` for the whole image.
        eval_crop: Centre crop outside training, in the same terms.
        random_crop: Whether the training crop lies at a random position
            (else in the centre).
        crop_rounding: Where half a pixel beside a centre crop goes: `"down"`,
            or `"even"` as in torchvision, which the publications used.
        crop_area: `(smallest, largest)` part of the area, for example
            `(0.08, 1)`: in training a box of that area and an aspect of 3:4
            to 4:3 becomes the `train_crop`, instead of resize, padding and
            crop.
        crop_padding: Pixels added to every side before a training crop.
        padding_mode: `"reflect"` or `"zero"`.
        flip: Mirror half of the training images left to right. `None`
            follows the data's own rule (`DomainData.flip`).
        brightness: Largest change of brightness in training, as a fraction
            of the full range (0.1: up to 25.5 grey levels); 0 is off.
        contrast: Largest relative change of contrast in training, around
            the image's mean (0.2: factors from 0.8 to 1.2); 0 is off.
        saturation: Largest relative change of saturation in training.
        rand_augment: `(operations, magnitude)`: that many (at most 4) random
            operations of RandAugment in training, of a magnitude up to 10;
            `None` for none.
        erase: Part of the training images of which a random box is replaced
            by the image's mean.
        mixup: Parameter of the beta distribution by which training images
            are blended with another of the batch; 0 is off.
        cutmix: The same for boxes cut out of the other image; with `mixup`,
            each is used for half of the images. With either, labels are
            one-hot float32, in evaluation too: train with
            `CategoricalCrossentropy`.
        normalize: Apply `(x / 255 - mean) / std` here, for networks that do
            not normalise themselves.
        antialias: Whether shrinking averages over all pixels (antialiased
            bilinear), or takes the nearest four (plain bilinear, as MediaPipe
            and Android's `createScaledBitmap` do).
        plain: Part of the training images that are shrunk by plain bilinear
            all the same, for networks that bear either; 0 is off.

    Raises:
        ValueError: For sizes below one, an unknown padding, negative
            jitter, a crop padding without a random crop, a crop area
            without a crop, or `plain` where nothing is
            resized, or all without antialiasing.
    """

    resize: int | tuple | None = None
    train_crop: int | tuple | None = None
    eval_crop: int | tuple | None = None
    random_crop: bool = True
    crop_rounding: str = "down"
    crop_area: tuple | None = None
    crop_padding: int = 0
    padding_mode: str = "reflect"
    flip: bool | None = None
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    rand_augment: tuple | None = None
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    normalize: bool = False
    antialias: bool = True
    plain: float = 0.0

    def __post_init__(self):
        if self.resize is not None and not hasattr(self.resize, "__len__"):
            checked_count("resize", self.resize, low=1)
        else:
            object.__setattr__(self, "resize", _pair("resize", self.resize))
        for name in ("train_crop", "eval_crop"):
            object.__setattr__(self, name, _pair(name, getattr(self, name)))
        checked_count("crop_padding", self.crop_padding)
        if self.crop_padding and not (self.train_crop and self.random_crop):
            raise ValueError(
                "`crop_padding` needs a `train_crop` at a random position. "
                f"Received: crop_padding={self.crop_padding}, "
                f"train_crop={self.train_crop}, "
                f"random_crop={self.random_crop}"
            )
        for name, known in (
            ("padding_mode", _PADDINGS),
            ("crop_rounding", _ROUNDINGS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"`{name}` must be one of {known}. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
        for name in ("brightness", "contrast", "saturation", "erase", "plain"):
            _in_range(name, getattr(self, name), 0, 1)
        for name in ("mixup", "cutmix"):
            _in_range(name, getattr(self, name), 0, 100)
        resizes = self.resize is not None or self.crop_area is not None
        if self.plain and not (self.antialias and resizes):
            raise ValueError(
                "`plain` is the part of the training images that are resized "
                "without antialiasing: it needs `antialias=True`, and a "
                f"`resize` or `crop_area`. Received: plain={self.plain}, "
                f"antialias={self.antialias}, resize={self.resize}, "
                f"crop_area={self.crop_area}"
            )
        if self.crop_area is not None:
            self._check_crop_area()
        if self.rand_augment is not None:
            operations, magnitude = _pair("rand_augment", self.rand_augment)
            _in_range("rand_augment", operations, 1, MOST_OPERATIONS)
            _in_range("rand_augment", magnitude, 1, 10)
            object.__setattr__(self, "rand_augment", (operations, magnitude))

    def _check_crop_area(self):
        low, high = (_in_range("crop_area", a, 0, 1) for a in self.crop_area)
        object.__setattr__(self, "crop_area", (low, high))
        if not 0 < low <= high or not self.train_crop or self.crop_padding:
            raise ValueError(
                "`crop_area` needs 0 < smallest <= largest <= 1, a "
                "`train_crop` and no `crop_padding`. Received: "
                f"crop_area={self.crop_area}, train_crop={self.train_crop}, "
                f"crop_padding={self.crop_padding}"
            )

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with others: labels are one-hot then."""
        return bool(self.mixup or self.cutmix)

    @classmethod
    def default(cls, size: int, **changes) -> "Preprocess":
        """Squares of `size` pixels with mild augmentation.

        The shorter side becomes `size` and the centre is kept; in training
        a crop of the image padded by `size // 8` reflected pixels, the
        data's own flip rule, and a little brightness and contrast.

        Args:
            size: Side in pixels.
            **changes: Other values for any argument of `Preprocess`.
        """
        size = checked_count("size", size, low=1)
        values = {
            "resize": size,
            "train_crop": size,
            "eval_crop": size,
            "crop_padding": size // 8,
            "brightness": 0.1,
            "contrast": 0.2,
        }
        return cls(**{**values, **changes})

    @classmethod
    def photos(cls, size: int, **changes) -> "Preprocess":
        """Squares of `size` pixels, augmented as photographs are.

        Crops of 35 % to all of the area, brightness, contrast and saturation;
        half of the images are shrunk without antialiasing, as apps do it. See
        `default` for the arguments.
        """
        values = {
            "plain": 0.5,
            "crop_padding": 0,
            "crop_area": (0.35, 1.0),
            "saturation": 0.2,
        }
        return cls.default(size, **{**values, **changes})

    @classmethod
    def strong(cls, size: int, **changes) -> "Preprocess":
        """Squares of `size` pixels with today's strong augmentation.

        Crops by area, RandAugment (2 operations of magnitude 9), erasing in
        a quarter of the images; see `default` for the arguments.
        """
        values = {
            "crop_padding": 0,
            "crop_area": (0.25, 1.0),
            "brightness": 0.0,
            "contrast": 0.0,
            "rand_augment": (2, 9),
            "erase": 0.25,
        }
        return cls.default(size, **{**values, **changes})

    @classmethod
    def decathlon(cls, domain_name: str, recipe: str = "guo") -> "Preprocess":
        """The input pipelines published with the Visual Decathlon.

        Both resize the shorter side to 72, and both show the networks whole
        traffic signs and characters (gtsrb, omniglot, svhn: centre crop 72).

        * `"guo"` (Guo et al., AAAI 2019, released code): daimlerpedcls
          whole (144 high, 72 wide), all others a random crop of 64 in
          training and a centre crop of 72 otherwise; no flip anywhere.
        * `"adapters"` (Rebuffi et al., CVPR 2018, released code): all
          others, daimlerpedcls included, a random crop of 64 with flip in
          training and a centre crop of 64 otherwise.

        Centre crops are rounded as torchvision, which both used, rounds them.

        Args:
            domain_name: A decathlon key, for example `"dtd"`.
            recipe: `"guo"` or `"adapters"`.
        """
        facts = decathlon.facts(domain_name)
        if recipe not in _RECIPES:
            raise ValueError(
                f"`recipe` must be one of {_RECIPES}. "
                f"Received: recipe={recipe!r}"
            )
        common = {"flip": recipe == "adapters", "crop_rounding": "even"}
        if not facts.flip:
            common["flip"] = False
            return cls(72, 72, 72, random_crop=False, **common)
        if recipe == "adapters":
            return cls(72, train_crop=64, eval_crop=64, **common)
        if facts.key == "daimlerpedcls":
            return cls(72, **common)
        return cls(72, train_crop=64, eval_crop=72, **common)


def _in_range(name, value, low, high):
    if isinstance(value, bool) or not low <= value <= high:
        raise ValueError(
            f"`{name}` must lie in [{low}, {high}]. Received: {name}={value!r}"
        )
    return value


def _pair(name, value):
    if value is None:
        return None
    sides = tuple(value) if hasattr(value, "__len__") else (value, value)
    if len(sides) != 2:
        raise ValueError(
            f"`{name}` must be an integer or (height, width). "
            f"Received: {name}={value!r}"
        )
    return tuple(checked_count(name, side, low=1) for side in sides)
