"""Run a flow that does nothing, to measure Prefect's own cost."""

from prefect import flow


@flow
def nothing() -> None:
    """Do nothing."""


if __name__ == "__main__":
    nothing()
