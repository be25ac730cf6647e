"""What a stack would create, compared with what exists already.

Two purposes: adoption takes over what was there before the stack, recovery what an update of the stack made and didn't
write down. Both ask the engine itself what it would create, in a preview: its answer follows the program, the stack
file, the other stacks' exports and the state, and has the inputs by which a thing is found. The settings alone would
say what the program wants, but not what the state holds already, nor under which name and parent.
"""
