"""Data sets, and the loader that turns them into batches."""

from minicnn.data.datasets import ArrayDataset, Dataset, Unlabelled
from minicnn.data.loader import Batch, Batches, DataLoader

__all__ = ["ArrayDataset", "Batch", "Batches", "DataLoader", "Dataset", "Unlabelled"]
