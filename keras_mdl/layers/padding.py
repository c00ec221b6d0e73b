"""Kernel sizes, strides and padding, as pairs and in one form."""


def pair(name, value):
    """`(rows, columns)` of a positive integer or two.

    Raises:
        ValueError: If it is neither.
    """
    values = (value, value) if isinstance(value, int) else value
    try:
        values = tuple(int(v) for v in values)
    except (TypeError, ValueError):
        values = ()
    if len(values) != 2 or min(values) < 1:
        raise ValueError(
            f"`{name}` must be a positive integer or two, (rows, columns). "
            f"Received: {name}={value!r}"
        )
    return values


def standardized(padding, kernel_size, strides, dilation_rate):
    """`"same"`, `"valid"`, or `((top, bottom), (left, right))`.

    Args:
        padding: One of these; `"symmetric"`, `(k - 1) // 2` zeros on every
            side for the (dilated) kernel size `k`; or a number of zeros for
            all sides. Where it comes to the same, `"same"` or `"valid"` is
            returned: nothing stands before the convolution then.

    Raises:
        ValueError: For anything else, or an even kernel size with symmetric
            padding.
    """
    if padding in ("same", "valid"):
        return padding
    spans = [
        (k - 1) * d + 1 for k, d in zip(kernel_size, dilation_rate, strict=True)
    ]
    if padding == "symmetric":
        if not all(k % 2 for k in spans):
            raise ValueError(
                "Symmetric padding needs an odd `kernel_size`. "
                f"Received: kernel_size={kernel_size}"
            )
        padding = tuple(((k - 1) // 2, (k - 1) // 2) for k in spans)
    elif isinstance(padding, int) and padding >= 0:
        padding = ((padding, padding), (padding, padding))
    try:
        padding = tuple((int(a), int(b)) for a, b in padding)
    except (TypeError, ValueError):
        padding = ()
    if len(padding) != 2 or min(map(min, padding)) < 0:
        raise ValueError(
            "`padding` must be one of 'same', 'valid', 'symmetric', a number "
            "of zeros, or ((top, bottom), (left, right)). "
            f"Received: padding={padding!r}"
        )
    if not any(map(any, padding)):
        return "valid"
    centred = tuple(((k - 1) // 2, k // 2) for k in spans)
    return "same" if padding == centred and max(strides) == 1 else padding


def before(padding, axis, size, kernel_size, stride):
    """Zeros that are put before the first row (axis 0) or column (axis 1).

    Args:
        padding: As `standardized` returns it.
        size: Rows or columns of the input; `None` for unknown.

    Raises:
        ValueError: If they depend on an unknown size.
    """
    if padding == "valid":
        return 0
    if padding != "same":
        return padding[axis][0]
    if stride == 1:
        return (kernel_size - 1) // 2
    if size is None:
        raise ValueError(
            "With padding 'same' and strides, where a kernel stands depends on "
            "the image size: give the network a fixed `input_shape`"
        )
    return max((-(-size // stride) - 1) * stride + kernel_size - size, 0) // 2
