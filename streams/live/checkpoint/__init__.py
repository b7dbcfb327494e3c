"""Checkpoints of assess on Kafka: what is kept in `weir.state.v1`, and how it is found again."""
