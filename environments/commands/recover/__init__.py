"""After a kill, an error or a lost connection: bring the stack's state back in line with what is really there.

`python -m recovery -s prod`, then `pulumi up -s prod`. Of a create that was cut short the engine can't tell whether it
was carried out; a plain `pulumi up` would make it a second time.
"""
