"""`make demo`: dev, a promotion, another one and the way back, on this machine and for real."""
