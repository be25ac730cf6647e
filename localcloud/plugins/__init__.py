"""Stand-ins for provider plugins that package registries do not carry, used by local runs only."""
