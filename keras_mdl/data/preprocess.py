"""`Preprocess`: what happens to an image between its file and the network."""

from dataclasses import dataclass

from keras_mdl.data import decathlon
from keras_mdl.data.epoch import checked_count

_PADDINGS = ("reflect", "zero")
_RECIPES = ("guo", "adapters")


@dataclass(frozen=True)
class Preprocess:
    """How images are resized, cropped and augmented. All sizes in pixels.

    In order: resize; then in training pad, crop, flip, contrast, brightness,
    otherwise a centre crop. Pixels stay in `[0, 255]`: the network itself
    subtracts the domain's mean and divides by its deviation.

    Args:
        resize: New length of the *shorter* side (the aspect is kept), or
            `(height, width)` exactly, or `None`. Antialiased bilinear.
        train_crop: Crop in training: side of a square, `(height, width)`,
            or `None` for the whole image.
        eval_crop: Centre crop outside training, in the same terms.
        random_crop: Whether the training crop lies at a random position
            (else in the centre).
        crop_padding: Pixels added to every side before a training crop.
        padding_mode: `"reflect"` or `"zero"`.
        flip: Mirror half of the training images left to right. `None`
            follows the data's own rule (`DomainData.flip`).
        brightness: Largest change of brightness in training, as a fraction
            of the full range (0.1: up to 25.5 grey levels); 0 is off.
        contrast: Largest relative change of contrast in training, around
            the image's mean (0.2: factors from 0.8 to 1.2); 0 is off.
        normalize: Apply `(x / 255 - mean) / std` here, for networks that do
            not normalise themselves.

    Raises:
        ValueError: For sizes below one, an unknown padding, negative
            jitter, or a crop padding without a random crop.
    """

    resize: int | tuple | None = None
    train_crop: int | tuple | None = None
    eval_crop: int | tuple | None = None
    random_crop: bool = True
    crop_padding: int = 0
    padding_mode: str = "reflect"
    flip: bool | None = None
    brightness: float = 0.0
    contrast: float = 0.0
    normalize: bool = False

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
        if self.padding_mode not in _PADDINGS:
            raise ValueError(
                f"`padding_mode` must be one of {_PADDINGS}. "
                f"Received: padding_mode={self.padding_mode!r}"
            )
        for name in ("brightness", "contrast"):
            value = getattr(self, name)
            if isinstance(value, bool) or not 0 <= value <= 1:
                raise ValueError(
                    f"`{name}` must lie in [0, 1]. Received: {name}={value!r}"
                )

    @classmethod
    def default(cls, size, **changes):
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
    def decathlon(cls, domain_name, recipe="guo"):
        """The input pipelines published with the Visual Decathlon.

        Both resize the shorter side to 72, and both show the networks whole
        traffic signs and characters (gtsrb, omniglot, svhn: centre crop 72).

        * `"guo"` (Guo et al., AAAI 2019, released code): daimlerpedcls
          whole (144 high, 72 wide), all others a random crop of 64 in
          training and a centre crop of 72 otherwise; no flip anywhere.
        * `"adapters"` (Rebuffi et al., CVPR 2018, released code): all
          others, daimlerpedcls included, a random crop of 64 with flip in
          training and a centre crop of 64 otherwise.

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
        if not facts.flip:
            return cls(72, 72, 72, random_crop=False, flip=False)
        if recipe == "adapters":
            return cls(72, train_crop=64, eval_crop=64, flip=True)
        if facts.key == "daimlerpedcls":
            return cls(72, flip=False)
        return cls(72, train_crop=64, eval_crop=72, flip=False)


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
