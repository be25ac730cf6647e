"""What is done and asked inside a branch: logins and rights, the fence, the marker, rows, the cache."""
