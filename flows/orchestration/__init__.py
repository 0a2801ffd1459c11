"""What needs Prefect and is no flow: the command line, blocks, states, notifications."""
