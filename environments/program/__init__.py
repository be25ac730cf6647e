"""What a Pulumi program uses of this library: its stack file, other stacks' outputs, our resources as Pulumi classes."""
