"""The teacher's softened probabilities as targets.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015.
"""

import torch.nn.functional as F
from torch import Tensor


def loss(ours: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """T^2 CE(softmax(theirs/T), softmax(ours/T)), mean over the batch.

    ours, theirs: logits [B, K]; returns a scalar.
    """
    soft = F.cross_entropy(ours / temperature, F.softmax(theirs / temperature, dim=1))
    return temperature**2 * soft
