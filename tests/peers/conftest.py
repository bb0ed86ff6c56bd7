"""What the pytest files of this folder share: a coordinator per file and Optuna's two ways into it."""
import optuna
import pytest

from coordinator import Coordinator

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="module")
def coordinator():
    running = Coordinator()
    yield running
    running.close()


@pytest.fixture
def proxy(coordinator):
    storage = coordinator.proxy()
    yield storage
    storage.close()
