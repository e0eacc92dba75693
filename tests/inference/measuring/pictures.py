"""Pictures of tubes, vessels and balls whose sizes are known, drawn finely and blurred."""

import cv2
import numpy as np

FINE = 6
"""Fine pixels to a pixel."""


def blurred(fine, blur_px):
    """Blur a fine picture and take each pixel's mean."""
    fine = cv2.GaussianBlur(fine, (0, 0), blur_px * FINE)
    size = (fine.shape[1] // FINE, fine.shape[0] // FINE)
    return cv2.resize(fine, size, interpolation=cv2.INTER_AREA)


def grid(side):
    """x and y of the fine pixels of a (side, side) picture, in its pixels."""
    places = (np.arange(side * FINE) + 0.5) / FINE - 0.5
    return np.meshgrid(places, places)


def chord(radius, away):
    return 2 * np.sqrt(np.maximum(radius**2 - away**2, 0))


def tube(width, inner_share, angle_deg=20.0, side=128, blur_px=0.9, lumen=0.0):
    """Attenuation of a straight tube through the middle, per pixel of wall."""
    x, y = grid(side)
    angle = np.deg2rad(angle_deg)
    middle = side / 2
    away = (y - middle) * np.cos(angle) - (x - middle) * np.sin(angle)
    outer, inner = chord(width / 2, away), chord(inner_share * width / 2, away)
    return blurred((outer - (1 - lumen) * inner).astype(np.float32), blur_px)


def along(angle_deg, side=128, reach=40.0):
    """Both ends of a stretch of that tube, (2, 2)."""
    angle = np.deg2rad(angle_deg)
    way = np.array([np.cos(angle), np.sin(angle)])
    return side / 2 + np.array([-reach, reach])[:, None] * way


def vessel(diameter, side=160, blur_px=0.9):
    """Attenuation of a gently bent vessel; ``diameter`` is a function of x, in pixels."""
    x, y = grid(side)
    middle = side / 2 + 8 * np.sin(x / 40.0)
    slope = 8 / 40.0 * np.cos(x / 40.0)
    away = (y - middle) / np.sqrt(1 + slope**2)
    return blurred(chord(diameter(x) / 2, away).astype(np.float32), blur_px)


def vessel_middle(x, side=160):
    return np.stack([x, side / 2 + 8 * np.sin(np.asarray(x) / 40.0)], axis=-1)


def ball(diameter, depth, side=96, blur_px=0.9, centre=(50.3, 44.8)):
    """Share of the light that a ball takes; ``depth`` is its attenuation in the middle."""
    x, y = grid(side)
    through = chord(diameter / 2, np.hypot(x - centre[0], y - centre[1])) / diameter
    return blurred((1 - np.exp(-depth * through)).astype(np.float32), blur_px)
