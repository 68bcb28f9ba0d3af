# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Intersection over union of classes."""
import numpy as np

from ...utils.errors import UserError


def confusion_matrix(predictions: np.ndarray, labels: np.ndarray, num_classes: int,
                     ignore: int) -> np.ndarray:
    """Count the pixels by label and prediction.

    Args:
        predictions (np.ndarray): Class numbers, any shape, 0 to num_classes - 1.
        labels (np.ndarray): The same; or ``ignore`` where the pixel does not count.
        num_classes (int): Number of classes.
        ignore (int): Label to leave out.

    Returns:
        np.ndarray: int64 (num_classes, num_classes), row by label, column by prediction.

    Raises:
        ValueError: If the shapes differ or a label is neither a class nor ``ignore``.

    Examples:
        >>> labels = np.array([0, 0, 1, 255])
        >>> predictions = np.array([0, 1, 1, 0])
        >>> confusion_matrix(predictions, labels, num_classes=2, ignore=255)
        array([[1, 1],
               [0, 1]])
    """
    if predictions.shape != labels.shape:
        raise UserError(f'predictions have the shape {predictions.shape}, labels {labels.shape}')
    counted = labels != ignore
    labels, predictions = (array[counted].astype(np.int64) for array in (labels, predictions))
    unknown = np.unique(labels[labels >= num_classes]).tolist()
    if unknown:
        raise UserError(f'the labels {unknown[:5]} are neither classes 0 to {num_classes - 1} nor '
                        f'{ignore} (to be ignored)')
    codes = labels * num_classes + predictions
    return np.bincount(codes, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union per class.

    Args:
        confusion (np.ndarray): As :func:`confusion_matrix` counts it, summed over images.

    Returns:
        np.ndarray: (num_classes,), in [0, 1]; NaN for a class that neither labels nor predictions
        have.

    Examples:
        >>> class_iou(np.array([[1, 1], [0, 1]]))
        array([0.5, 0.5])
    """
    intersection = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - intersection
    return np.where(union > 0, intersection / np.maximum(union, 1), np.nan)
