"""After a kill, an error or a lost connection: bring a stack's state back in line with what really exists.

`environments recover -s prod`, then `pulumi up -s prod`. The engine can't tell whether a create that was cut short was
carried out; a plain `pulumi up` would create the thing a second time.
"""
