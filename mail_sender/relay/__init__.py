"""How mail leaves: `base` says what a transport can do, `smtp` does it, `folder` writes it down instead."""
