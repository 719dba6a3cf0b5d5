"""How anomalous is a record: from encoded rows to errors and scores. Higher is more anomalous, 1 the worst benign."""
