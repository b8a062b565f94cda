"""What DNS says about the domain that mail comes from: does it exist, who may send in its name, and by which keys.

Each file is one question: look up what it needs (`Ask`), then decide from the answers alone. Open `check` first: it
has the order. `resolver` is the only file that speaks DNS.
"""
