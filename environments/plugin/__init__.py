"""Our own resources, served to the Pulumi engine over its plugin protocol."""
