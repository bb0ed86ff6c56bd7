"""The load that benchmarks beside Optuna share: three parameters, one objective, two samplers."""

import math
import warnings

import optuna

warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
optuna.logging.set_verbosity(optuna.logging.ERROR)


def sampler_of(name, seed):
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


def objective(trial):
    rate = trial.suggest_float("learning_rate", 1e-5, 0.1, log=True)
    decay = trial.suggest_float("weight_decay", 0.0, 0.3)
    batch = trial.suggest_int("batch_size", 4, 64)
    return (math.log10(rate) + 3) ** 2 + decay ** 2 + (batch / 64 - 0.5) ** 2
