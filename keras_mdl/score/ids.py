"""How the challenge numbers images and categories.

With `d` = 1 to 10, the alphabetical place of a domain's key:

    category id = d * 10,000,000 + 1 + class        (class from 0 on)
    image id    = d * 10,000,000 + 200,000 + place  (place from 1 on, over
                  the images of train, then val, then test)

So the first class of aircraft is 10,000,001, the last of vgg-flowers
100,000,102, and the first test image of aircraft 10,206,668. Source: the
challenge's annotation files; the same in the submission scripts of Rebuffi
et al. (CVPR 2018).
"""

from keras_mdl.score.reference import KEYS, key_of

STEP = 10_000_000
#: Image ids of a domain lie above this, category ids below.
FIRST_IMAGE = 200_000


def first_id(key):
    """The number that all ids of a domain start from.

    Args:
        key: A domain of the decathlon, by key or short name.
    """
    return STEP * (1 + KEYS.index(key_of(key)))


def category_id(key, label):
    """The challenge's id of a class.

    Args:
        key: A domain of the decathlon, by key or short name.
        label: The class, counted from 0.

    Example:

    >>> category_id("aircraft", 0), category_id("vgg-flowers", 101)
    (10000001, 100000102)
    """
    return first_id(key) + 1 + label


def domain_of_id(number):
    """The key of the domain that an image or category id belongs to.

    Returns:
        The key, or `None` if it belongs to none.

    Example:

    >>> domain_of_id(10206668)
    'aircraft'
    """
    index = number // STEP - 1
    return KEYS[index] if 0 <= index < len(KEYS) else None
