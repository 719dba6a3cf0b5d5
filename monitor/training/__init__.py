"""Learning a model from benign records, offline: splits in time order and the training loop."""
