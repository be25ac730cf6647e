"""The commands of `environments`, one module or folder each."""
