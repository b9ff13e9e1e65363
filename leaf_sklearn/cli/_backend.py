"""Who does the work: processes of this machine, or a cluster."""

from argparse import Namespace, _ActionsContainer
from collections.abc import Iterator
from contextlib import contextmanager

from joblib import cpu_count, parallel_config

BACKENDS = ("loky", "dask")


def add_backend_options(parser: _ActionsContainer) -> None:
    """Add --n-jobs, --backend and --scheduler."""
    parser.add_argument(
        "--n-jobs", type=int, metavar="N", help="processes, one thread each; -1 takes all cores (default: 1)"
    )
    parser.add_argument(
        "--backend", choices=BACKENDS, default="loky", help="loky: this machine's processes; dask: a cluster's workers"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask's scheduler, such as tcp://10.0.0.1:8786; without one a cluster of N processes is started here",
    )


@contextmanager
def workers(arguments: Namespace) -> Iterator[int | None]:
    """Give n_jobs, with joblib set to the backend that was asked for.

    Raises
    ------
    ValueError
        The options do not go together, or the scheduler cannot be reached.
    ImportError
        Dask is missing; the message names the extra.
    """
    if arguments.backend != "dask":
        if arguments.scheduler is not None:
            raise ValueError("--scheduler needs --backend dask.")
        yield arguments.n_jobs
        return
    if arguments.scheduler is not None and arguments.n_jobs is not None:
        raise ValueError("--n-jobs is the cluster's own matter with --scheduler: leave it out.")
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ImportError("--backend dask needs Dask: pip install 'leaf-sklearn[dask]'.") from error
    if arguments.scheduler is None:
        n_jobs = arguments.n_jobs or 1
        with (
            LocalCluster(
                n_workers=n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
            ) as cluster,
            Client(cluster) as client,
            parallel_config(backend="dask", client=client),
        ):
            yield -1
        return
    try:
        client = Client(arguments.scheduler)
    except (OSError, ValueError) as error:
        raise ValueError(f"No Dask scheduler answers at {arguments.scheduler} ({error}).") from error
    with client, parallel_config(backend="dask", client=client):
        yield -1
