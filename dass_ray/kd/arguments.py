"""Names in `network.arguments`, where the library itself would take any and ignore it."""

import difflib
import inspect

from dass_ray.errors import UserError
from dass_ray.kd.foreign import library
from dass_ray.network import Network


def check_names(network: Network) -> None:
    """UserError where transformers' configuration of this kind knows no argument of a name.

    It would keep such an argument and build the default network. For what a person wrote; the
    configuration of a saved model may hold names of other versions. Other sources refuse
    arguments that they do not know when they are built.
    """
    kind, _, model_type = network.source.partition(":")
    if kind != "transformers" or not network.arguments:
        return
    kinds = library("transformers").CONFIG_MAPPING
    if model_type not in kinds:
        return  # which `foreign` tells
    made = kinds[model_type]
    default = made()
    fields = [n for n, p in inspect.signature(made).parameters.items() if p.kind is p.KEYWORD_ONLY]
    known = dict.fromkeys([*fields, *made.attribute_map, *vars(default)])
    for name in network.arguments:
        if name in known or (hasattr(default, name) and not callable(getattr(default, name))):
            continue
        public = [name for name in known if not name.startswith("_")]
        near = difflib.get_close_matches(name, public, n=3)
        advice = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(fields)}"
        raise UserError(f"network.arguments: {network.source} has no {name!r}; {advice}")
