"""`Search`: controllers and a supernetwork, step by step, resumable."""

import hashlib
import json
import math
import os
import zipfile
from dataclasses import asdict, dataclass, field

import keras
import numpy as np

from keras_mdl.files import atomic_path
from keras_mdl.search.controller import Controller, learning_rate, relaxation
from keras_mdl.search.encoding import encode
from keras_mdl.search.found import FoundPaths
from keras_mdl.search.rewards import Reward, path_cost
from keras_mdl.search.supernetwork import SuperNetwork
from keras_mdl.training.balancing import get_balancing

CONTROLLERS = ("per_domain", "one", "random")
ROW = ("step", "loss", "accuracy", "cost", "reward", "baseline", "entropy",
       "weight")  # fmt: skip


@dataclass(frozen=True)
class SearchPlan:
    """How a search goes; everything but space and images.

    In each step, for each domain: its controller samples a path; the weights
    take the gradient of the loss on a training batch through it (one update
    for all domains together); accuracy on a held-out training batch through
    the same path gives the reward; REINFORCE changes the controller.

    Attributes:
        steps: Of the search.
        reward: `Reward`.
        controllers: `"per_domain"` (MPNAS); `"one"` for all domains, with the
            mean of their accuracies (multi-head NAS); `"random"`: none, each
            domain gets a random path, of 100 the one whose cost beside the
            others' paths is nearest the target.
        batch_size: Training images of a domain in a step.
        held_out_batch: Held-out images; default 4 times as many.
        optimizer: Of the weights: `"adam"`, or `"rmsprop"` as published
            (decay 0.9, momentum 0.9, epsilon 1).
        learning_rate: Its peak; warm-up over 2.5 % of the steps, then a
            cosine to 0. Published for RMSProp: 0.165 * batch / 256.
        weight_decay: As `SuperNetwork`.
        controller_rate: See `keras_mdl.search.controller.learning_rate`. The
            default is for hundreds of steps; published for tens of
            thousands: 3e-4 * batch / 256.
        delay: Part of the steps in which controllers do not learn.
        relaxed: Part of the steps in which decisions are relaxed (operations
            averaged, widths at their largest), ever less; at most `delay`.
        entropy: As `Controller`.
        balancing: A rule of `keras_mdl.training.balancing`, by name. Its
            weights come from the losses of the step before.
        seed: Of everything random.

    Raises:
        ValueError: For values that cannot be.

    Source: the order is TuNAS' for one network, repeated by domain as MPNAS
    publishes it; frequencies and sizes for several domains are not published.
    """

    steps: int = 300
    reward: Reward = field(default_factory=lambda: Reward("accuracy"))
    controllers: str = "per_domain"
    batch_size: int = 32
    held_out_batch: int | None = None
    optimizer: str = "adam"
    learning_rate: float = 2e-3
    weight_decay: float = 4e-5
    controller_rate: float = 0.02
    delay: float = 0.25
    relaxed: float = 0.25
    entropy: float = 0.0
    balancing: str | dict = "equal"
    seed: int = 0

    def __post_init__(self):
        if isinstance(self.reward, dict):
            object.__setattr__(self, "reward", Reward(**self.reward))
        for name in ("steps", "batch_size", "held_out_batch"):
            value = getattr(self, name)
            optional = name == "held_out_batch" and value is None
            if not optional and (type(value) is not int or value < 1):
                raise ValueError(
                    f"`{name}` must be a whole number from 1 on. "
                    f"Received: {name}={value!r}"
                )
        for name, known in (
            ("controllers", CONTROLLERS), ("optimizer", ("adam", "rmsprop")),
        ):  # fmt: skip
            if getattr(self, name) not in known:
                raise ValueError(
                    f"Unknown {name}: {getattr(self, name)!r}. Known: "
                    f"{', '.join(known)}"
                )
        if not 0 <= self.relaxed <= self.delay < 1:
            raise ValueError(
                "Decisions are relaxed no longer than controllers wait: 0 <= "
                "relaxed <= delay < 1. Received: "
                f"relaxed={self.relaxed}, delay={self.delay}"
            )
        get_balancing(self.balancing)

    def to_dict(self):
        """Plain values; the inverse of `SearchPlan(**values)`."""
        return asdict(self)


class Search:
    """One search, from its first step or from a file.

    Args:
        space: `SearchSpace`.
        domains: `keras_mdl.Domain` objects.
        batches: `{domain: (training, held_out)}`, each a function of the step
            and the batch size that returns `(images, labels)` (see
            `keras_mdl.data.joint.batch_at`). The held-out images must be
            none of those trained on, and none that results are measured on.
        plan: `SearchPlan`.
        existing, kernels: As `SuperNetwork`: shared blocks as they are.

    Raises:
        ValueError: For a domain without batches, or a target that no path
            can meet.
    """

    def __init__(
        self, space, domains, batches, plan, existing=(), kernels=None
    ):
        self.space, self.plan = space, plan
        self.domains = {d.name: d for d in domains}
        for name in self.domains:
            if len(batches.get(name) or ()) != 2 or None in batches[name]:
                raise ValueError(
                    "Every domain needs training images for the weights and "
                    "held-out ones for its controller: `batches={domain: "
                    f"(training, held_out)}}`. Missing: {name!r}"
                )
        plan.reward.require_reachable(space)
        self._batches, self._existing = batches, tuple(existing)
        keras.utils.set_random_seed(plan.seed)
        one = plan.controllers == "one"
        shared = Controller(space, plan.entropy)
        self.controllers = {
            d: shared if one else Controller(space, plan.entropy)
            for d in self.domains
        }
        self.step = 0
        self.history = []
        self._rule = get_balancing(plan.balancing)
        self._balance = self._rule.initial(
            [d.num_classes for d in self.domains.values()]
        )
        self._weights = np.ones(len(self.domains), np.float32)
        self.network = SuperNetwork(
            space, domains, plan.weight_decay, existing, kernels,
            name="supernetwork",
        )  # fmt: skip
        kinds = {
            "adam": lambda **kw: keras.optimizers.Adam(**kw),
            "rmsprop": lambda **kw: keras.optimizers.RMSprop(
                rho=0.9, momentum=0.9, epsilon=1.0, **kw
            ),
        }
        several = len(self.domains) if len(self.domains) > 1 else None
        self._optimizer = kinds[plan.optimizer](
            learning_rate=0.0, gradient_accumulation_steps=several
        )
        # On TensorFlow's CPU kernels XLA is ten times slower here.
        jit = keras.backend.backend() == "jax"
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.network.compile(
            self._optimizer,
            loss,
            metrics=[
                keras.metrics.SparseCategoricalCrossentropy(
                    from_logits=True, name="cross_entropy"
                )
            ],
            jit_compile=jit,
        )
        self._optimizer.build(self.network.trainable_variables)

    def advance(self):
        """One step; returns its rows, one a domain (keys: `domain`, `ROW`)."""
        if self.plan.controllers == "random":
            self.step = self.plan.steps
            return []
        step = self.step
        self._optimizer.learning_rate.assign(self._weight_rate(step))
        sampled, rows, losses = {}, [], []
        for i, name in enumerate(self.domains):
            rng = self._rng(step, i)
            sampled[name] = self._sampled(name, rng, sampled)
            losses.append(self._train(i, name, sampled[name], rng))
        for i, (name, choices) in enumerate(sampled.items()):
            rows.append(
                {
                    "domain": name,
                    "step": step,
                    "loss": losses[i],
                    "accuracy": self._accuracy(i, name, choices),
                    "weight": float(self._weights[i]),
                }
            )
        self._learn(sampled, rows)
        weights, state = self._rule(
            keras.ops.convert_to_tensor(np.float32(losses)), self._balance
        )
        self._weights = keras.ops.convert_to_numpy(weights)
        self._balance = {
            k: keras.ops.convert_to_numpy(v) for k, v in state.items()
        }
        self.history += rows
        self.step += 1
        return rows

    def run(self, state=None, every=25, tell=lambda rows: None):
        """All steps that are left.

        Args:
            state: File to keep the state in (and to go on from, if it is
                there); a run that was killed then ends where it would have
                ended, bit for bit.
            every: Steps between two writes.
            tell: Called with the rows of each step.

        Returns:
            `FoundPaths`.
        """
        if state is not None and os.path.exists(state):
            self.load(state)
        while self.step < self.plan.steps:
            rows = self.advance()
            if state is not None and (
                self.step % every == 0 or self.step == self.plan.steps
            ):
                self.save(state)
            tell(rows)
        return self.result()

    def result(self):
        """The most likely path of each controller, as `FoundPaths`."""
        choices = {d: c.best() for d, c in self.controllers.items()}
        if self.plan.controllers == "random":
            choices = self._random()
        return FoundPaths(self.space, choices, list(self.history))

    # === Parts of a step ===

    def _rng(self, step, domain):
        return np.random.default_rng((self.plan.seed, step, domain))

    def _sampled(self, name, rng, sampled):
        if self.plan.controllers == "one" and sampled:
            return next(iter(sampled.values()))
        return self.controllers[name].sample(rng)

    def _train(self, i, name, choices, rng):
        part = relaxation(self.step, self.plan.steps, self.plan.relaxed)
        relaxed = [d.name for d in self.space.decisions if rng.random() < part]
        size = self.plan.batch_size
        images, labels = self._batches[name][0](self.step, size)
        self.network.reset_metrics()
        found = self.network.train_on_batch(
            self.network.feed(images, i, self._encoded(choices, relaxed)),
            labels,
            sample_weight=np.full(len(labels), self._weights[i], np.float32),
            return_dict=True,
        )
        loss = float(found["cross_entropy"])
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss of {name!r} is not finite in step {self.step}: the "
                "search diverged. Try a smaller `learning_rate` than "
                f"{self.plan.learning_rate}"
            )
        return loss

    def _accuracy(self, i, name, choices):
        size = self.plan.held_out_batch or 4 * self.plan.batch_size
        images, labels = self._batches[name][1](self.step, size)
        logits = self.network.predict_on_batch(
            self.network.feed(images, i, self._encoded(choices))
        )
        return float(np.mean(np.argmax(logits, -1) == labels))

    def _encoded(self, choices, relaxed=()):
        return encode(self.space, choices, relaxed, self._existing)

    def _learn(self, sampled, rows):
        plan = self.plan
        rate = learning_rate(
            self.step, plan.steps, plan.controller_rate, plan.delay
        )
        best = {
            d: self.space.blocks(c.best()) for d, c in self.controllers.items()
        }
        for row in rows:
            name = row["domain"]
            others = [blocks for d, blocks in best.items() if d != name]
            row["cost"] = self._cost(sampled[name], others)
            row["reward"] = plan.reward(row["accuracy"], row["cost"])
        if plan.controllers == "one":
            mean = sum(r["reward"] for r in rows) / len(rows)
            name = rows[0]["domain"]
            self.controllers[name].learn(sampled[name], mean, rate)
        for row in rows:
            controller = self.controllers[row["domain"]]
            if plan.controllers != "one":
                controller.learn(sampled[row["domain"]], row["reward"], rate)
            row["baseline"] = controller.baseline
            row["entropy"] = controller.mean_entropy()

    def _cost(self, choices, others=()):
        if self.plan.controllers == "one":  # which all others have too
            others = [self.space.blocks(choices)]
        kind = "macs" if self.plan.reward.kind == "accuracy" else (
            self.plan.reward.cost
        )  # fmt: skip
        return path_cost(
            kind,
            self.space.blocks(choices),
            self.space.size,
            [*others, self._existing],
        )

    def _random(self):
        uniform, draws = Controller(self.space), {}
        for i, name in enumerate(self.domains):
            rng = self._rng(0, i)
            draws[name] = [uniform.sample(rng) for _ in range(100)]
        found = {name: some[0] for name, some in draws.items()}
        target = self.plan.reward.target
        if self.plan.reward.kind == "accuracy":
            return found
        for name, some in draws.items():
            others = [
                self.space.blocks(c) for d, c in found.items() if d != name
            ]
            gaps = [abs(self._cost(c, others) - target) for c in some]
            found[name] = some[int(np.argmin(gaps))]
        return found

    def _weight_rate(self, step):
        warm = max(1, round(0.025 * self.plan.steps))
        t = (step - warm) / max(self.plan.steps - warm, 1)
        part = (step + 1) / (warm + 1) if step < warm else (
            0.5 * (1 + math.cos(math.pi * t))
        )  # fmt: skip
        return self.plan.learning_rate * part

    # === State ===

    @property
    def digest(self):
        """Of all that the state depends on."""
        asked = [
            self.space.to_dict(),
            self.plan.to_dict(),
            [d.to_config() for d in self.domains.values()],
            [b.name for b in self._existing],
        ]
        text = json.dumps(asked, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def save(self, path):
        """Writes the whole state, atomically: weights, optimizer,
        controllers, balancing, step and history."""
        meta = {"digest": self.digest, "step": self.step, "rows": self.history}
        arrays = {
            "meta": np.frombuffer(json.dumps(meta).encode(), np.uint8),
            "weights": self._weights,
        }
        for name, values in self._arrays().items():
            arrays[name] = keras.ops.convert_to_numpy(values)
        for name, controller in self.controllers.items():
            arrays[f"controller/{name}"] = controller.state()
        with atomic_path(path) as temporary, open(temporary, "wb") as f:
            np.savez(f, **arrays)

    def load(self, path):
        """Reads what `save` has written.

        Raises:
            ValueError: If it is no such file, or of another search. Nothing
                is changed then.
        """
        try:
            # (`np.load` leaves a broken file open.)
            with open(path, "rb") as f:
                stored = np.load(f, allow_pickle=False)
                arrays = {k: stored[k] for k in stored.files}
            meta = json.loads(arrays.pop("meta").tobytes())
            same = meta["digest"] == self.digest
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path} is not the state of a search: {error}"
            ) from error
        if not same:
            raise ValueError(
                f"{path} is the state of another search: another space, plan, "
                "domains or blocks. Choose another file, or the same settings"
            )
        for name, variable in self._arrays().items():
            if name.startswith("balancing/"):
                key = name.removeprefix("balancing/")
                self._balance[key] = arrays[name]
            else:
                variable.assign(arrays[name])
        self._weights = arrays["weights"]
        for name, controller in self.controllers.items():
            controller.load_state(arrays[f"controller/{name}"])
        self.step, self.history = meta["step"], meta["rows"]

    def _arrays(self):
        found = {f"balancing/{k}": v for k, v in self._balance.items()}
        for kind, variables in (
            ("network", self.network.variables),
            ("optimizer", self._optimizer.variables),
        ):
            found.update({f"{kind}/{i}": v for i, v in enumerate(variables)})
        return found
