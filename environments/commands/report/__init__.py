"""The review as one pull-request comment: `environments report` prints its Markdown.

What happens and why comes from the entries of the review; the resources and their sizes, the settings and other
programs' errors come from the preview's JSON. Of that it reads a whitelist of fields and nothing else, since it holds
whatever the providers put into it.
"""
