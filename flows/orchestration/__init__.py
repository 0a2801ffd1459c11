"""Prefect code that is not a flow: the command line, blocks, states, notifications."""
