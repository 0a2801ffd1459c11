"""A flow that does nothing: what Prefect itself costs."""

from prefect import flow


@flow
def nothing() -> None:
    """Do nothing."""


if __name__ == "__main__":
    nothing()
