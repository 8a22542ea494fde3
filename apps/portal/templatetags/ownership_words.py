"""Words about ownership that templates need with the moment of the page."""

from datetime import datetime

from django import template

from apps.registry.queries.prediction import Prediction

register = template.Library()


@register.filter
def ground(prediction: Prediction, now: datetime) -> str:
    """The facts that a prediction stands on: "the code owners file of claims-agent, 12 days ago"."""
    return prediction.ground(now)
