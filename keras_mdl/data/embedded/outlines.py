"""The outlines of the `shapes` domain, as implicit functions.

Each function takes arrays `u` and `v` of coordinates, in which a shape fills
about the unit disc, and returns an array of the same shape: negative inside
the shape, about the distance to the outline near it.
"""

import numpy as np


def disc(u, v):
    return np.hypot(u, v) - 0.95


def triangle(u, v):
    return np.maximum(np.maximum(-0.5 - v, 0.866 * u + 0.5 * v - 0.5),
                      -0.866 * u + 0.5 * v - 0.5)  # fmt: skip


def square(u, v):
    return np.maximum(np.abs(u), np.abs(v)) - 0.78


def star(u, v):
    radius = np.hypot(u, v)
    half = np.pi / 5
    angle = np.abs(np.mod(np.arctan2(v, u), 2 * half) - half)
    # The line from an inner corner (radius 0.42) to a tip (radius 1).
    tip, inner = half, 0.42
    dx = np.cos(tip) - inner
    dy = np.sin(tip)
    normal = np.array([dy, -dx]) / np.hypot(dx, dy)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    return (x - inner) * normal[0] + y * normal[1]


def ring(u, v):
    return np.abs(np.hypot(u, v) - 0.7) - 0.26


def cross(u, v):
    u, v = np.abs(u), np.abs(v)
    return np.maximum(np.maximum(u, v) - 0.98, np.minimum(u, v) - 0.33)


def crescent(u, v):
    return np.maximum(np.hypot(u, v) - 0.98, 0.8 - np.hypot(u - 0.5, v))


def spiral(u, v):
    radius = np.hypot(u, v)
    turn = np.mod(np.arctan2(v, u) / (2 * np.pi) - 1.9 * radius, 1.0)
    return np.maximum((np.abs(turn - 0.5) - 0.25) / 1.9, radius - 1.0)


def arrow(u, v):
    head = np.maximum(0.05 - u, 0.62 * u + 0.78 * np.abs(v) - 0.62)
    shaft = np.maximum(np.abs(u + 0.45) - 0.55, np.abs(v) - 0.28)
    return np.minimum(head, shaft)


OUTLINES = {
    outline.__name__: outline
    for outline in (
        disc, triangle, square, star, ring, cross, crescent, spiral, arrow,
    )
}  # fmt: skip
