# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Whether a translation has its exemplar's style, and nothing of its layout."""
import cv2
import numpy as np

from ...utils.errors import UserError

# Layout is compared on a grid of so many cells a side, whatever the size of the images.
GRID = 64


def retrieved(translations: np.ndarray, exemplars: np.ndarray, own: np.ndarray,
              num_others: int) -> np.ndarray:
    """Which translations are nearer to their own exemplar than to others.

    Distances are Euclidean, between statistics that are divided by their standard deviation over
    the exemplars, so that none outweighs the others by its unit.

    Args:
        translations (np.ndarray): Statistics of the translations, (N, D).
        exemplars (np.ndarray): Those of the exemplars, each once, (M, D).
        own (np.ndarray): Which of them is the exemplar of each translation, (N,).
        num_others (int): Each own exemplar is compared with the so many that follow it, the first
            after the last. By chance a share of 1 / (num_others + 1) is right.

    Returns:
        np.ndarray: Bool, (N,).

    Raises:
        ValueError: If there are not as many other exemplars.

    Examples:
        >>> exemplars = np.array([[0.], [1.], [2.]])
        >>> retrieved(np.array([[0.1], [0.9]]), exemplars, np.array([0, 2]), 2)
        array([ True, False])
    """
    if not 1 <= num_others < len(exemplars):
        raise UserError(f'num_others={num_others}, but there are {len(exemplars)} different '
                        f'exemplars: it must lie in 1..{len(exemplars) - 1}')
    spread = exemplars.std(0)
    scale = np.divide(1, spread, where=spread > 0, out=np.zeros_like(spread, np.float64))
    candidates = (own[:, None] + np.arange(num_others + 1)) % len(exemplars)
    # One translation at a time: all candidates of all of them may be too much for the memory.
    distances = np.array([
        np.linalg.norm((exemplars[places] - translation) * scale, axis=1)
        for translation, places in zip(translations, candidates)])
    return (distances[:, :1] < distances[:, 1:]).all(1)


def edge_map(image: np.ndarray) -> np.ndarray:
    """Where an image has edges.

    Args:
        image (np.ndarray): RGB, uint8 (H, W, 3).

    Returns:
        np.ndarray: float32 (GRID * GRID,), of mean 0 and length 1: the product of two is their
        correlation. All zero for an image without edges.

    Examples:
        >>> left = np.zeros((64, 64, 3), np.uint8)
        >>> left[:, :8] = 255
        >>> round(float(edge_map(left) @ edge_map(255 - left)), 3)
        1.0
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    edges = cv2.resize(edges, (GRID, GRID), interpolation=cv2.INTER_AREA).ravel()
    edges -= edges.mean()
    return edges / max(float(np.linalg.norm(edges)), 1e-6)


def content_leak(translations: np.ndarray, exemplars: np.ndarray, own: np.ndarray) -> np.ndarray:
    """How much of its exemplar's layout each translation has.

    The correlation of its edges with those of its own exemplar, less their mean correlation with
    those of the others: pictures of one kind, such as streets, are alike.

    Args:
        translations (np.ndarray): Edges of the translations, as :func:`edge_map` gives them,
            (N, D).
        exemplars (np.ndarray): Those of the exemplars, each once, (M, D), M at least 2.
        own (np.ndarray): Which of them is the exemplar of each translation, (N,).

    Returns:
        np.ndarray: (N,), in [-2, 2]; about 0 where nothing leaks.

    Raises:
        ValueError: If there is no other exemplar.

    Examples:
        >>> exemplars = np.eye(3)
        >>> content_leak(exemplars[[2, 0]], exemplars, np.array([2, 1]))
        array([ 1. , -0.5])
    """
    if len(exemplars) < 2:
        raise UserError(f'there must be two different exemplars or more, got {len(exemplars)}')
    correlations = translations @ exemplars.T
    of_own = np.take_along_axis(correlations, own[:, None], 1)[:, 0]
    return of_own - (correlations.sum(1) - of_own) / (len(exemplars) - 1)
