"""The review as one pull-request comment: `pulumi preview --json -s prod | environments report` prints its Markdown.

It reads a whitelist of fields and nothing else of the JSON, since that holds whatever the providers put into it.
"""
