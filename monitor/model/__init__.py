"""The autoencoder: its network, its calibration on benign data, and the bundle it travels in from trainer to daemon."""
