"""Detection quality on labelled data of others: the product with its defaults beside well-known detectors."""
