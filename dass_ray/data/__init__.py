"""Data sets of labelled images: import, storage, built-in ones, tensors, augmentation."""
