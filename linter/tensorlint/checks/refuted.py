"""What the architecture of a model type contradicts of what layers alone seem to say."""

from __future__ import annotations

from ..facts import Fact
from ..schemes.view import View

_COUNTED = ("extra-layer", "extra-experts")


def refuted(view: View, fact: Fact) -> bool:
    """Whether the architecture says otherwise: a model of this type has no such tensor, or so many layers."""
    fit = view.fitted
    if fit is None:
        return False
    if fit.fits and fact.kind in _COUNTED:
        return True  # it counts them itself
    if not fact.tensor or "*" in fact.tensor:
        return False
    return fit.asks_for(fact.tensor) is False and (fit.fits or fit.speaks_of(fact.tensor))
