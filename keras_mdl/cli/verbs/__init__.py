"""The commands by name: each a function whose signature is its flags."""

import re

from keras_mdl.cli.verbs.add_domain import add_domain
from keras_mdl.cli.verbs.changes import changes
from keras_mdl.cli.verbs.compare import compare
from keras_mdl.cli.verbs.compress import compress
from keras_mdl.cli.verbs.demo import demo
from keras_mdl.cli.verbs.dissect import dissect
from keras_mdl.cli.verbs.domain_files import (
    load_domain,
    remove_domain,
    save_domain,
)
from keras_mdl.cli.verbs.evaluate import evaluate
from keras_mdl.cli.verbs.explain import explain
from keras_mdl.cli.verbs.export import export
from keras_mdl.cli.verbs.find_rate import find_rate
from keras_mdl.cli.verbs.predict import predict
from keras_mdl.cli.verbs.route import route
from keras_mdl.cli.verbs.score import score
from keras_mdl.cli.verbs.search import search
from keras_mdl.cli.verbs.serve import serve
from keras_mdl.cli.verbs.share import share
from keras_mdl.cli.verbs.submit import submit
from keras_mdl.cli.verbs.summary import summary
from keras_mdl.cli.verbs.train import train

# In the order of a user's way.
VERBS = {
    verb.__name__.replace("_", "-"): verb
    for verb in (
        demo, find_rate, train, add_domain, share, compare, search, evaluate,
        route, predict, explain, dissect, changes, compress, export, serve,
        submit, score, summary, remove_domain, save_domain, load_domain,
    )
}  # fmt: skip
for _verb in VERBS.values():
    # The parser shows line ends of a flag's help as they are written.
    _verb.__doc__ = re.sub(r"\n {12}(?=\S)", " ", _verb.__doc__)
