"""Names that the control plane makes up, in the shapes that Neon's clients expect."""

from __future__ import annotations

import secrets
import string

_ADJECTIVES = """
    aged ancient autumn bitter black blue bold broad broken calm cold cool crimson curly damp dark dawn delicate
    divine dry empty falling fancy flat floral fragrant frosty gentle green hidden holy icy jolly late lingering
    little lively long lucky misty morning muddy mute nameless noisy odd old orange patient plain polished proud
    purple quiet rapid raspy red restless rough round royal shiny shrill shy silent small snowy soft solitary
    sparkling spring square steep still summer super sweet tight tiny twilight wandering weathered white wild
    winter
""".split()  # noqa: SIM905 - one word a line reads no better
_NOUNS = """
    bird block boat bonus bread breeze brook bush butterfly cake cell cherry cloud credit darkness dawn dew disk
    dream dust feather field fire firefly flower fog forest frog frost glade glitter grass hall hat haze heart
    hill king lab lake leaf limit math meadow mode moon morning mountain mouse mud night paper pine poetry pond
    queen rain recipe resonance rice river salad scene sea shadow shape silence sky smoke snow snowflake sound
    star sun surf term thunder tooth tree truth union unit violet voice water waterfall wave wildflower wind
    wood
""".split()  # noqa: SIM905 - one word a line reads no better
_ALPHANUMERIC = string.ascii_letters + string.digits


def _words_and_number() -> str:
    number = "".join(secrets.choice(string.digits) for _ in range(8))
    return f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_NOUNS)}-{number}"


def project_id() -> str:
    """Like `quiet-river-12345678`."""
    return _words_and_number()


def branch_id() -> str:
    """Like `br-quiet-river-12345678`."""
    return f"br-{_words_and_number()}"


def endpoint_id() -> str:
    """Like `ep-quiet-river-12345678`."""
    return f"ep-{_words_and_number()}"


def password() -> str:
    """A role's password: Neon's prefix and 95 bits, with no character that a URL would escape."""
    return "npg_" + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(16))
