"""SHARDCAST: encodes updates, aggregates them exactly and builds the next version of a model."""
